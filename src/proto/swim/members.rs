//! What a node believes of every member, and how it takes rumours in.

use super::message::{Belief, Rumour, State, What};
use super::suspicion::Suspicion;
use super::{Swim, Timer};
use crate::base::{Incarnation, Mutation, NodeId};
use crate::event::Fact;
use crate::proto::Context;
use std::sync::Arc;

/// What is believed of all members, this node left out.
#[derive(Clone, Debug)]
pub(super) struct Members {
    ids: Arc<[NodeId]>,
    /// What, and by whom it was found out, in the order of ids.
    beliefs: Vec<(Belief, NodeId)>,
    /// How many of them are dead.
    dead: usize,
}

impl Members {
    /// Nothing was heard of these, who are sorted.
    pub(super) fn new(ids: Arc<[NodeId]>) -> Members {
        let beliefs = ids.iter().map(|id| (Belief::NONE, *id)).collect();
        Members { ids, beliefs, dead: 0 }
    }

    fn place(&self, who: NodeId) -> Option<usize> {
        self.ids.binary_search(&who).ok()
    }

    /// What is believed of one; none if there is no such member.
    pub(super) fn belief(&self, who: NodeId) -> Option<Belief> {
        self.place(who).map(|place| self.beliefs[place].0)
    }

    /// The same as a rumour.
    pub(super) fn rumour(&self, who: NodeId) -> Option<Rumour> {
        let (belief, by) = self.beliefs[self.place(who)?];
        Some(Rumour { who, belief, by })
    }

    /// Whether none of them is dead.
    pub(super) fn are_well(&self) -> bool {
        self.dead == 0
    }

    /// All that was ever heard of.
    pub(super) fn known(&self) -> impl Iterator<Item = Rumour> {
        let all = self.ids.iter().zip(&self.beliefs);
        let known = all.filter(|(_, (belief, _))| *belief != Belief::NONE);
        known.map(|(who, (belief, by))| Rumour { who: *who, belief: *belief, by: *by })
    }

    fn set(&mut self, rumour: Rumour) {
        if let Some(place) = self.place(rumour.who) {
            let dead = |belief: Belief| usize::from(belief.state == State::Dead);
            self.dead = self.dead + dead(rumour.belief) - dead(self.beliefs[place].0);
            self.beliefs[place] = (rumour.belief, rumour.by);
        }
    }
}

impl Rumour {
    /// As siblings and observers hear it.
    pub(super) fn fact(self) -> Fact {
        let Rumour { who, belief: Belief { incarnation, state }, by } = self;
        match state {
            State::Alive => Fact::Trusts { who, incarnation },
            State::Suspect => Fact::Suspects { who, incarnation },
            State::Dead => Fact::Dead { who, incarnation, by },
        }
    }
}

impl Swim {
    /// Takes a rumour in: it is believed if it outweighs what is believed already.
    pub(super) fn hear_of(&mut self, rumour: Rumour, cx: &mut Context<'_, Self>) {
        if rumour.who == cx.me() {
            return self.hear_of_itself(rumour, cx);
        }
        let Some(old) = self.members.belief(rumour.who) else { return };
        if rumour.belief > old || (rumour.belief != old && self.has(Mutation::SwimLastWord)) {
            self.believe(rumour, cx);
        } else if rumour.belief == old && old.state == State::Suspect {
            self.confirm(rumour, cx);
        }
    }

    fn believe(&mut self, rumour: Rumour, cx: &mut Context<'_, Self>) {
        let Rumour { who, belief, by } = rumour;
        self.members.set(rumour);
        self.spread(who, cx);
        cx.emit(rumour.fact());
        if belief.state == State::Suspect {
            let suspicion = Suspicion { since: cx.now(), accusers: vec![by] };
            self.suspicions.insert(who, suspicion);
            self.wait_for(who, cx);
        } else if self.suspicions.remove(&who).is_some() {
            cx.cancel(Timer::Suspicion(who));
        }
    }

    /// Somebody else suspects it, too: there is less reason to doubt it, and others should know.
    fn confirm(&mut self, rumour: Rumour, cx: &mut Context<'_, Self>) {
        let suspicion = self.suspicions.get_mut(&rumour.who);
        if self.config.lifeguard && suspicion.is_some_and(|it| it.confirm(rumour.by)) {
            self.members.set(rumour);
            self.spread(rumour.who, cx);
            self.wait_for(rumour.who, cx);
        }
    }

    /// Sets when a suspicion is over, by what is known of it now.
    fn wait_for(&self, who: NodeId, cx: &mut Context<'_, Self>) {
        let Some(suspicion) = self.suspicions.get(&who) else { return };
        let (period, size) = (self.config.period, self.others.len() + 1);
        let over = suspicion.since + suspicion.lasts(period, size, self.config.lifeguard);
        cx.set(Timer::Suspicion(who), over.since(cx.now()));
    }

    /// This node could not reach a member.
    pub(super) fn accuse(
        &mut self,
        who: NodeId,
        incarnation: Incarnation,
        cx: &mut Context<'_, Self>,
    ) {
        let hasty = self.has(Mutation::SwimHasty);
        let state = if hasty { State::Dead } else { State::Suspect };
        self.hear_of(Rumour { who, belief: Belief { incarnation, state }, by: cx.me() }, cx);
    }

    /// It was suspected for long enough and has not refuted it.
    pub(super) fn on_suspicion(&mut self, who: NodeId, cx: &mut Context<'_, Self>) {
        if let Some(Belief { incarnation, state: State::Suspect }) = self.members.belief(who) {
            let belief = Belief { incarnation, state: State::Dead };
            self.hear_of(Rumour { who, belief, by: cx.me() }, cx);
        }
    }

    /// The mutation: raises the incarnation of another that answered though it was accused.
    pub(super) fn raise_other(&mut self, who: NodeId, cx: &mut Context<'_, Self>) {
        let belief = self.members.belief(who).filter(|belief| belief.state != State::Alive);
        if let Some(Belief { incarnation, .. }) = belief {
            let belief = Belief { incarnation: incarnation.raised(), state: State::Alive };
            self.hear_of(Rumour { who, belief, by: who }, cx);
        }
    }

    /// What others say of this node itself. An accusation is refuted by an incarnation above its
    /// own; nobody but the member raises it (SWIM-1). What is out of date is put right.
    fn hear_of_itself(&mut self, rumour: Rumour, cx: &mut Context<'_, Self>) {
        let Rumour { belief: Belief { incarnation, state }, by, .. } = rumour;
        if incarnation < self.incarnation {
            return self.spread(cx.me(), cx);
        }
        // Nothing above it is its own word.
        let accused = state != State::Alive && incarnation.boot == self.incarnation.boot;
        if accused && !self.has(Mutation::SwimNoRefute) {
            self.incarnation = incarnation.raised();
            self.prober.feel(&self.config, 1, 0);
            cx.emit(Fact::Incarnation { incarnation: self.incarnation, refutes: Some(by) });
            self.spread(cx.me(), cx);
        }
    }

    /// There is news of a member, to be passed on.
    pub(super) fn spread(&mut self, who: NodeId, cx: &mut Context<'_, Self>) {
        if self.gossip.is_empty() {
            cx.set(Timer::Gossip, self.config.gossip);
        }
        self.gossip.push(who);
    }

    /// What to tell `to` besides `what`: whatever is believed of it if it is not taken for well,
    /// so that it can refute that (Lifeguard's buddy system); and news.
    pub(super) fn news(&mut self, to: NodeId, what: What, cx: &Context<'_, Self>) -> Vec<Rumour> {
        let own = self.own_rumour(cx);
        if let What::PushPull { .. } = what {
            return self.members.known().chain([own]).collect();
        }
        let of_it = self.members.rumour(to);
        let of_it = of_it
            .filter(|rumour| rumour.belief == Belief::NONE || rumour.belief.state != State::Alive);
        let mut rumours: Vec<Rumour> = of_it.into_iter().collect();
        for who in self.gossip.take(super::MOST_RUMOURS, self.others.len() + 1) {
            match who == cx.me() {
                true => rumours.push(own),
                false if who == to && !rumours.is_empty() => {}
                false => rumours.extend(self.members.rumour(who)),
            }
        }
        rumours
    }

    fn own_rumour(&self, cx: &Context<'_, Self>) -> Rumour {
        let belief = Belief { incarnation: self.incarnation, state: State::Alive };
        Rumour { who: cx.me(), belief, by: cx.me() }
    }
}
