//! First bad: the fewest events that break a rule, looked at as a branch of their own.

use super::App;
use crate::check::Violation;
use crate::tui::layout::PaneKind;
use crate::tui::panes::thousands;

/// What there is to say where something cannot be done to an excerpt.
pub(super) const EXCERPT: &str =
    "these events were picked to show what broke, so they cannot go on; G returns to the run";

impl App {
    /// Shows the fewest events that break the selected check, or what was broken first; from there,
    /// goes back to where that was broken in the run.
    pub(super) fn first_bad(&mut self) {
        self.stop();
        let Some(violation) = self.first_violation().cloned() else {
            return self.say("nothing is broken in what was recorded");
        };
        let (whole, back) =
            (self.timeline.whole().events().len(), self.timeline.excerpt().is_some());
        if back {
            self.timeline.view(self.timeline.viewed_index());
            self.timeline.seek(violation.at + 1);
            return self.say(format!("back in the run, where it came to this: {violation}"));
        }
        let Some(few) = self.timeline.view_excerpt(&violation) else {
            let what = violation.what;
            return self.say(format!("no few events show this; what never happened does: {what}"));
        };
        self.say(format!(
            "{few} of {} events are enough to break {}; here with starts and ends. , and . step, b \
             goes back",
            thousands(whole as u64),
            violation.rule
        ));
    }

    /// What to show of the run: what broke the check that is selected where the focus is on checks,
    /// or else what was broken first.
    fn first_violation(&self) -> Option<&Violation> {
        let checks = self.timeline.whole().checks();
        let selected = self.select.check.and_then(|check| checks.standings().nth(check)?.first);
        let selected = selected.filter(|_| self.focused() == PaneKind::Checks);
        selected.or(checks.first())
    }
}
