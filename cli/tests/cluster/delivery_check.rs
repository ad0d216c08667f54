//! What must have become of each message, given what senders were answered and recipients got.

use std::collections::BTreeMap;
use std::fmt;

/// What a sender was told of each of its messages, by their numbers.
#[derive(Debug, Default)]
pub struct SenderAnswers(Vec<Vec<String>>);

/// What one socket got, in order: whose message, and its number.
pub type SocketArrivals = Vec<(usize, usize)>;

/// An answer after which a message may or may not have arrived.
const UNKNOWN: &str = "delivery_unknown";
/// Findings of each kind that are shown.
const SHOWN: usize = 5;

impl SenderAnswers {
    pub fn of(messages: usize) -> Self {
        Self(vec![Vec::new(); messages])
    }

    pub fn add(&mut self, number: usize, outcome: String) {
        self.0[number].push(outcome);
    }
}

/// The counts, and every breach of what is promised.
#[derive(Debug, Default)]
pub struct DeliveryJudgement {
    messages: usize,
    pub delivered: usize,
    /// Messages that are not known to be delivered and arrived all the same.
    unknown_arrived: usize,
    outcomes: BTreeMap<String, usize>,
    /// Of each socket.
    pub arrived: Vec<usize>,
    breaches: BTreeMap<&'static str, Vec<String>>,
}

impl DeliveryJudgement {
    /// Judges senders and sockets that stayed open until all was quiet.
    pub fn of(senders: &[SenderAnswers], sockets: &[SocketArrivals]) -> Self {
        let mut judgement = Self::default();
        let mut arrived: Vec<Vec<u8>> = senders.iter().map(|s| vec![0; s.0.len()]).collect();
        for (socket, arrivals) in sockets.iter().enumerate() {
            judgement.arrived.push(arrivals.len());
            judgement.judge_order(socket, arrivals);
            for (sender, number) in arrivals {
                arrived[*sender][*number] += 1;
            }
        }
        for (sender, answers) in senders.iter().enumerate() {
            for (number, outcomes) in answers.0.iter().enumerate() {
                let times = arrived[sender][number];
                judgement.judge_message((sender, number), outcomes, times);
            }
        }
        judgement
    }

    fn judge_message(&mut self, message: (usize, usize), outcomes: &[String], times: u8) {
        self.messages += 1;
        let [outcome] = outcomes else {
            return self.breach("not one answer", format!("{message:?}: {outcomes:?}"));
        };
        *self.outcomes.entry(outcome.clone()).or_default() += 1;
        let seen = format!("{message:?}: {outcome}, arrived {times} times");
        match (outcome.as_str(), times) {
            ("delivered", 1) => self.delivered += 1,
            ("delivered", 0) => self.breach("delivered, but it did not arrive", seen),
            (_, 2..) => self.breach("arrived more than once", seen),
            (UNKNOWN, 1) => self.unknown_arrived += 1,
            ("duplicate" | "queued", _) => self.breach("not a true answer here", seen),
            (_, 0) => {}
            (_, 1) => self.breach("refused, but it arrived", seen),
        }
    }

    fn judge_order(&mut self, socket: usize, arrivals: &SocketArrivals) {
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        for (sender, number) in arrivals {
            match last.insert(*sender, *number) {
                Some(before) if before >= *number => {
                    let seen = format!("socket {socket}: {number} of {sender} behind {before}");
                    self.breach("out of order", seen);
                }
                Some(_) | None => {}
            }
        }
    }

    fn breach(&mut self, kind: &'static str, seen: String) {
        self.breaches.entry(kind).or_default().push(seen);
    }

    /// Panics if a promise was broken.
    #[track_caller]
    pub fn is_kept(&self) {
        let shown = self.breaches.iter().map(|(kind, seen)| {
            let first = &seen[..seen.len().min(SHOWN)];
            format!("{} {kind}, as {first:#?}", seen.len())
        });
        let shown: Vec<_> = shown.collect();
        assert!(shown.is_empty(), "{self}\n{}", shown.join("\n"));
    }
}

impl fmt::Display for DeliveryJudgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            messages,
            outcomes,
            unknown_arrived,
            arrived,
            ..
        } = self;
        write!(
            f,
            "{messages} messages: {outcomes:?}, {unknown_arrived} of the unknown arrived, {arrived:?} a socket"
        )
    }
}

#[test]
fn every_breach_is_found() {
    let answers = |outcomes: &[&[&str]]| {
        let outcomes = outcomes.iter();
        SenderAnswers(
            outcomes
                .map(|all| all.iter().map(|one| (*one).to_owned()).collect())
                .collect(),
        )
    };
    let breaches = |outcomes: &[&[&str]], sockets: &[SocketArrivals]| {
        let judgement = DeliveryJudgement::of(&[answers(outcomes)], sockets);
        judgement.breaches.into_keys().collect::<Vec<_>>()
    };
    let fine: &[&[&str]] = &[&["delivered"], &["delivery_unknown"], &["unreachable"]];
    assert_eq!(breaches(fine, &[vec![(0, 0)], vec![]]), [""; 0]);
    assert_eq!(breaches(fine, &[vec![(0, 0), (0, 1)]]), [""; 0]);
    let lost = ["delivered, but it did not arrive"];
    assert_eq!(breaches(fine, &[vec![]]), lost);
    let twice = ["arrived more than once"];
    assert_eq!(breaches(fine, &[vec![(0, 0)], vec![(0, 0)]]), twice);
    assert_eq!(
        breaches(fine, &[vec![(0, 0), (0, 1)], vec![(0, 1)]]),
        twice,
        "also if it is unknown"
    );
    assert_eq!(breaches(fine, &[vec![(0, 1), (0, 0)]]), ["out of order"]);
    let uninvited = ["refused, but it arrived"];
    assert_eq!(breaches(fine, &[vec![(0, 0), (0, 2)]]), uninvited);
    let none_or_two: &[&[&str]] = &[&[], &["delivered", "delivered"]];
    assert_eq!(breaches(none_or_two, &[]), ["not one answer"]);
    let duplicate: &[&[&str]] = &[&["duplicate"]];
    assert_eq!(breaches(duplicate, &[]), ["not a true answer here"]);
}
