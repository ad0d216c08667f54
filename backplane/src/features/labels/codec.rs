//! A tenant's labels as bytes: a MessagePack map of names to values, in the order of the names.

use protocol::TenantLabels;

/// What is stored for labels.
pub(super) fn encode(labels: &TenantLabels) -> Vec<u8> {
    rmp_serde::to_vec(labels).expect("labels are texts")
}

/// The labels that are stored; nothing is none. `None`: these bytes are no labels.
pub(super) fn decode(bytes: &[u8]) -> Option<TenantLabels> {
    if bytes.is_empty() {
        return Some(TenantLabels::default());
    }
    let mut rest = bytes;
    let labels = rmp_serde::from_read(&mut rest).ok()?;
    rest.is_empty().then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_labels_as_a_whole_is_read() {
        let mut labels = TenantLabels::default();
        labels.add("a".to_owned(), "b".to_owned()).unwrap();
        let bytes = encode(&labels);
        assert_eq!(decode(&bytes), Some(labels));
        assert_eq!(decode(b""), Some(TenantLabels::default()));
        assert_eq!(decode(&[&bytes[..], b"x"].concat()), None);
        assert_eq!(decode(&bytes[1..]), None);
    }
}
