//! What this process remembers of deliveries, to know one that comes again.

use std::collections::HashMap;

use uuid::Uuid;

use crate::ingest::RequestId;

/// The last delivery under each packet number; numbers are 16 bits, so this has an end.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    by_packet: HashMap<u16, RequestId>,
}

impl Deliveries {
    /// The id of a delivery: that of the first one, if the broker says that it sends the same again.
    ///
    /// `content` is a hash of topic and payload. Packet 0 is a message that is sent once.
    pub(super) fn id(&mut self, packet: u16, again: bool, content: Uuid) -> RequestId {
        if packet == 0 {
            return RequestId::fresh(content);
        }
        if let Some(known) = self.by_packet.get(&packet)
            && again
            && known.body_hash == content
        {
            return *known;
        }
        let id = RequestId::fresh(content);
        self.by_packet.insert(packet, id);
        id
    }

    /// The broker has forgotten the session, and begins to count anew.
    pub(super) fn forget(&mut self) {
        self.by_packet.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_again_has_the_id_that_it_had() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut deliveries = Deliveries::default();
        let first = deliveries.id(1, false, a);
        assert_eq!(deliveries.id(1, true, a), first);
        assert_ne!(deliveries.id(2, true, a).id, first.id, "another packet");
        assert_ne!(deliveries.id(1, true, b).id, first.id, "another content");
        let second = deliveries.id(1, false, a);
        assert_ne!(second.id, first.id, "a new message");
        deliveries.forget();
        assert_ne!(deliveries.id(1, true, a).id, second.id, "another session");
        assert_ne!(deliveries.id(0, false, a).id, deliveries.id(0, true, a).id, "sent once");
    }
}
