//! The numbers that a node gives to what it begins: transactions, sagas. No number comes twice, in
//! whatever life of the node.

/// How many numbers are reserved at a time.
const BLOCK: u32 = 64;

/// Numbers, and up to which one they are reserved on disk. Those that a crash leaves unused are
/// skipped.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    last: u32,
    reserved: u32,
}

impl Numbers {
    /// As long as nothing is found on disk. Numbers may have been used all the same: the disk may
    /// be a new one.
    pub(super) fn of_boot(boot: u32) -> Numbers {
        Numbers::used(if boot > 1 { boot.saturating_mul(100_000) } else { 0 })
    }

    /// Any up to this one may have been used.
    pub(super) fn used(upto: u32) -> Numbers {
        Numbers { last: upto, reserved: upto }
    }

    /// Up to where numbers are reserved.
    pub(super) fn reserved(&self) -> u32 {
        self.reserved
    }

    /// Reserves more: that they are is to be written down before one is used.
    pub(super) fn reserve(&mut self) {
        self.reserved = self.last.saturating_add(BLOCK);
    }

    /// Whether more have to be reserved before the next one is used.
    pub(super) fn are_used_up(&self) -> bool {
        self.last == self.reserved
    }

    /// The next one.
    pub(super) fn next(&mut self) -> u32 {
        self.last += 1;
        self.last
    }
}
