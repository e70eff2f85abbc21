//! Who votes, by what the log says.
//!
//! The log's own entries name its voters (`voters`, and before that `joint` in joint consensus), so
//! the voters as of a slot are the same for all whose logs agree up to there. What is in a log
//! gives way to other entries as long as it is not committed; the voters then are those of before.

use crate::base::{CallId, Entry, Op, Slot, Voters};
use serde::{Deserialize, Serialize};

/// The voters, and which entry named them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Its slot; 0 for those of the start.
    pub slot: Slot,
    /// Whose call it is.
    pub call: CallId,
    /// Who votes from there on.
    pub voters: Voters,
}

impl Configuration {
    /// Those of the start.
    pub fn first(voters: Voters) -> Configuration {
        Configuration { slot: 0, call: CallId::default(), voters }
    }

    /// Goes by what an entry says of voters, if it says anything of them.
    pub fn take(&mut self, slot: Slot, entry: &Entry) {
        let voters = match &entry.op {
            Op::Voters { voters } => voters.settled(),
            Op::Joint { voters } => self.voters.settled().joint(voters),
            _ => return,
        };
        *self = Configuration { slot, call: entry.call, voters };
    }
}

/// The configurations of one log, in the order of slots: that of its snapshot, which is always
/// there, and those of the entries after it.
#[derive(Clone, Debug)]
pub(in crate::proto) struct Configurations(Vec<Configuration>);

impl Configurations {
    /// Those of a log without entries.
    pub(in crate::proto) fn after(base: Configuration) -> Configurations {
        Configurations(vec![base])
    }

    /// The last one.
    pub(in crate::proto) fn last(&self) -> &Configuration {
        &self.0[self.0.len() - 1]
    }

    /// That of `slot`.
    pub(in crate::proto) fn of(&self, slot: Slot) -> &Configuration {
        &self.since(slot)[0]
    }

    /// That of `slot`, and all later ones.
    pub(in crate::proto) fn since(&self, slot: Slot) -> &[Configuration] {
        let gone = self.0[1..].iter().take_while(|one| one.slot <= slot).count();
        &self.0[gone..]
    }

    /// Takes in an entry that is appended in `slot`. Returns whether it names voters.
    pub(in crate::proto) fn append(&mut self, slot: Slot, entry: &Entry) -> bool {
        if !entry.op.names_voters() {
            return false;
        }
        let mut next = self.last().clone();
        next.take(slot, entry);
        self.0.push(next);
        true
    }

    /// All slots after `slot` are dropped. Returns whether the last one was among them.
    pub(in crate::proto) fn truncate(&mut self, slot: Slot) -> bool {
        let keep = 1 + self.0[1..].iter().take_while(|one| one.slot <= slot).count();
        let dropped = keep < self.0.len();
        self.0.truncate(keep);
        dropped
    }

    /// Everything up to `slot` is in the snapshot.
    pub(in crate::proto) fn cut(&mut self, slot: Slot) {
        let gone = self.0.len() - self.since(slot).len();
        self.0.drain(..gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::NodeId;

    fn entry(op: &str) -> Entry {
        let call = CallId { client: NodeId::client(1), seq: 1 };
        let op = match op.split_once("joint ") {
            Some((_, voters)) => Op::Joint { voters: voters.parse().unwrap() },
            None => op.parse().unwrap(),
        };
        Entry { call, op }
    }

    #[test]
    fn voters_are_those_of_the_last_entry_that_is_still_there() {
        let mut all = Configurations::after(Configuration::first("n1,n2,n3".parse().unwrap()));
        assert!(!all.append(1, &entry("put x=1")));
        assert!(all.append(2, &entry("joint n1,n4")));
        assert_eq!(all.last().voters.to_string(), "n1,n2,n3>n1,n4");
        assert!(all.append(4, &entry("voters n1,n4")));
        assert_eq!(all.last().voters.to_string(), "n1,n4");
        assert_eq!([1, 2, 3, 4].map(|slot| all.of(slot).slot), [0, 2, 2, 4]);
        let since = |slot| all.since(slot).iter().map(|one| one.slot).collect::<Vec<_>>();
        assert_eq!((since(1), since(3), since(4)), (vec![0, 2, 4], vec![2, 4], vec![4]));
        assert!(all.truncate(3) && !all.truncate(2));
        assert_eq!((all.last().slot, all.last().voters.is_joint()), (2, true));
        all.cut(3);
        assert!(!all.truncate(0), "what is cut off stays");
        assert_eq!(all.last().slot, 2);
    }
}
