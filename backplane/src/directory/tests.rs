use proptest::prelude::*;
use protocol::BootId;

use super::*;

const BOOT: &str = "00000000000000000000000007";
const CONN: &str = "conn_00000000000000000000000001";

fn fields(lines: &[(&str, &str)]) -> (Snapshot, u64) {
    snapshot((9, 0), Policy::default(), lines)
}

fn record(holder: Option<Holder>) -> BotRecord {
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

fn held_by() -> Holder {
    Holder {
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
    let (event, skipped) = event(text.as_bytes()).unwrap();
    assert_eq!((event.prev, event.ver, skipped), (3, 8, 0));
    let policy = Policy {
        generation: 4,
        suspended: true,
    };
    let changes = [
        Change::Bot(Box::new(record(None))),
        Change::Forgotten(BotId::parse("a").unwrap()),
        Change::Left(held_by().conn),
        Change::Seen(ClientId::parse("bert").unwrap(), 77),
        Change::Policy(policy),
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
    let (event, skipped) = super::event(b"1 2\nb:a\t\xff\ns:a\t1\np\t1 2").unwrap();
    assert_eq!((event.changes.len(), skipped), (1, 2));
    for bytes in [&b""[..], b"1", b"1 x", b"1 -2", b"\xff 1"] {
        assert_eq!(super::event(bytes), None, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = event(&bytes);
        let _ = event(&[b"1 2\n", bytes.as_slice()].concat());
        let halves = bytes.split_at(bytes.len() / 2);
        let _ = snapshot((1, 0), Policy::default(), &[halves]);
    }

    #[test]
    fn no_text_of_the_right_kind_panics(
        field in "[bcsp]:?[a-z:]{0,3}",
        value in "[0-9]{0,25} ?[0-9]{0,25} ?[-A-Z0-9]{0,26} ?-? ?(\\{\"name\":\"\",\"type\":\"\"\\})?",
    ) {
        let _ = event(format!("1 2\n{field}\t{value}\n{field}").as_bytes());
        let _ = snapshot((1, 0), Policy::default(), &[(field, value)]);
    }
}
