//! A peer that says anything at all.
