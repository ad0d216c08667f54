use proptest::prelude::*;
use protocol::BootId;

use super::*;

const NOW_MS: u64 = 1_763_695_000_000;
const BOOT: &str = "00000000000000000000000007";
const CONN: &str = "conn_00000000000000000000000001";

fn fields(lines: &[(&str, &str)]) -> (DirectorySnapshot, u64) {
    snapshot(
        (9, 0),
        TenantPolicy::default(),
        lines,
        NumberBounds::at(NOW_MS),
    )
}

fn record(holder: Option<BotHolder>) -> BotRecord {
    let status = match holder {
        Some(_) => BotState::Online,
        None => BotState::Offline,
    };
    let info = BotInfo {
        id: BotId::parse("a:b").unwrap(),
        name: "A\tb\n\"".into(),
        kind: "bot".into(),
        description: String::new(),
        capabilities: vec!["x y".into()],
        status,
        since: 5,
    };
    BotRecord {
        info,
        holder,
        epoch: 12,
        instance: Some("i".into()),
    }
}

fn held_by() -> BotHolder {
    BotHolder {
        boot: BootId::from_bits(7),
        conn: ConnectionId::parse(CONN).unwrap(),
    }
}

/// What is in Redis now must be read by every later version.
const META: &str =
    r#"{"name":"A\tb\n\"","type":"bot","description":"","capabilities":["x y"],"instance":"i"}"#;

#[test]
fn records_are_these_texts() {
    let bot = record(Some(held_by()));
    assert_eq!(meta(&bot.info, bot.instance.as_ref()), META);
    let held = format!("12 5 {BOOT} {CONN} {META}");
    let conn = format!("{BOOT} anna");
    let lines = [
        ("b:a:b", held.as_str()),
        (&format!("c:{CONN}"), &conn),
        ("s:bert", "77"),
    ];
    let (snapshot, skipped) = fields(&lines);
    assert_eq!((snapshot.ver, skipped), (9, 0));
    assert_eq!(snapshot.bots, [bot]);
    let client = ClientId::parse("anna").unwrap();
    let boot = held_by().boot;
    assert_eq!(
        snapshot.conns,
        [(held_by().conn, ConnRecord { boot, client })]
    );
    assert_eq!(snapshot.clients, [(ClientId::parse("bert").unwrap(), 77)]);
    let (snapshot, _) = fields(&[("b:a:b", &format!("12 5 - - {META}"))]);
    assert_eq!(snapshot.bots, [record(None)]);
}

#[test]
fn members_of_later_versions_are_no_error() {
    let value = r#"1 2 - - {"name":"n","type":"t","colour":"red"}"#;
    let (snapshot, skipped) = fields(&[("b:a", value)]);
    assert_eq!((snapshot.bots[0].info.name.as_str(), skipped), ("n", 0));
}

#[test]
fn an_event_is_these_lines() {
    let text = format!("3 8\nb:a:b\t12 5 - - {META}\nb:a\nc:{CONN}\ns:bert\t77\np\t4 1");
    let read = event(text.as_bytes(), NumberBounds::at(NOW_MS)).unwrap();
    let event = read.event;
    assert_eq!((event.prev, event.ver, read.skipped), (3, 8, 0));
    assert!(!read.repaired);
    let policy = TenantPolicy {
        generation: 4,
        suspended: true,
        assigned: None,
    };
    let changes = [
        DirectoryChange::Bot(Box::new(record(None))),
        DirectoryChange::Forgotten(BotId::parse("a").unwrap()),
        DirectoryChange::Left(held_by().conn),
        DirectoryChange::Seen(ClientId::parse("bert").unwrap(), 77),
        DirectoryChange::Policy(policy),
    ];
    assert_eq!(event.changes, changes);
}

#[test]
fn what_cannot_be_read_is_left_out_and_counted() {
    let bad = [
        ("", ""),
        ("x:a", "1"),
        ("b:", "1 2 - - {}"),
        ("b:a", "1 2 - - {}"),
        ("b:a", "-1 2 - - {\"name\":\"\",\"type\":\"\"}"),
        ("b:a", "1 2 x - {\"name\":\"\",\"type\":\"\"}"),
        ("b:a", "1 2 -"),
        ("c:a", "b c"),
        ("s:a", "+1"),
        ("ü", "1"),
    ];
    let (snapshot, skipped) = fields(&bad);
    assert_eq!(
        snapshot.bots.len() + snapshot.conns.len() + snapshot.clients.len(),
        0
    );
    assert_eq!(skipped, bad.len() as u64);
    let bounds = NumberBounds::at(NOW_MS);
    let read = event(b"1 2\nb:a\t\xff\ns:a\t1\np\t1 2", bounds).unwrap();
    assert_eq!((read.event.changes.len(), read.skipped), (1, 2));
    for bytes in [&b""[..], b"1", b"1 x", b"1 -2", b"\xff 1"] {
        assert_eq!(event(bytes, bounds), None, "{bytes:?}");
    }
}

#[test]
fn numbers_beyond_all_times_are_left_out() {
    let bounds = NumberBounds::at(NOW_MS);
    let late = u64::MAX;
    for head in [
        format!("0 {late}"),
        format!("{late} 5"),
        format!("0 {}", 1u64 << 53),
    ] {
        assert_eq!(event(head.as_bytes(), bounds), None, "{head}");
    }
    let meta = r#"{"name":"n","type":"t"}"#;
    let text = format!(
        "1 2\nb:a\t{late} 5 - - {meta}\nb:a\t5 {late} - - {meta}\ns:bert\t{late}\np\t{late} 0\nr"
    );
    let read = event(text.as_bytes(), bounds).unwrap();
    assert_eq!((read.event.changes, read.skipped), (vec![], 4));
    assert!(read.repaired);
    let (bot, bert) = (format!("{late} 5 - - {meta}"), late.to_string());
    let (snapshot, skipped) = fields(&[("b:a", &bot), ("s:bert", &bert)]);
    assert_eq!(
        (snapshot.bots, snapshot.clients, skipped),
        (vec![], vec![], 2)
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bounds = NumberBounds::at(NOW_MS);
        let _ = event(&bytes, bounds);
        let _ = event(&[b"1 2\n", bytes.as_slice()].concat(), bounds);
        let halves = bytes.split_at(bytes.len() / 2);
        let _ = snapshot((1, 0), TenantPolicy::default(), &[halves], bounds);
    }

    #[test]
    fn no_text_of_the_right_kind_panics(
        field in "[bcsp]:?[a-z:]{0,3}",
        value in "[0-9]{0,25} ?[0-9]{0,25} ?[-A-Z0-9]{0,26} ?-? ?(\\{\"name\":\"\",\"type\":\"\"\\})?",
    ) {
        let bounds = NumberBounds::at(NOW_MS);
        let _ = event(format!("1 2\n{field}\t{value}\n{field}").as_bytes(), bounds);
        let _ = snapshot((1, 0), TenantPolicy::default(), &[(field, value)], bounds);
    }
}
