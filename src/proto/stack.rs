//! The services of a node under one roof: one enum each for their configurations, messages, timers,
//! records and states, and the dispatch between them. Adding a service is adding a line below.
//! Of two that do the same in different ways (`Log` is Multi-Paxos, `Raft` is Raft, `Zab` is Zab;
//! all are the service `log`) a node has one.

use super::{Context, Frame, Protocol, Ticket};
use crate::base::{CallId, NodeId, Op, Outcome, ServiceId};
use crate::event::Fact;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! services {
    ($($id:ident => $module:ident :: $machine:ident,)*) => {
        /// What a service is told when it starts.
        #[derive(Clone, Debug)]
        pub enum Config { $(#[doc = concat!("For `", stringify!($module), "`.")] $id(super::$module::Config),)* }

        /// What one node sends to another.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub enum Message { $(#[doc = concat!("Of `", stringify!($module), "`.")] $id(super::$module::Message),)* }

        /// A timer of any service.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Timer { $(#[doc = concat!("Of `", stringify!($module), "`.")] $id(super::$module::Timer),)* }

        /// A record of any service, as it stands in a node's write-ahead log.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub enum Record { $(#[doc = concat!("Of `", stringify!($module), "`.")] $id(super::$module::Record),)* }

        /// One service of a node.
        #[allow(clippy::large_enum_variant, reason = "a node has one of each, in one vector")]
        #[derive(Clone, Debug)]
        pub enum Service { $(#[doc = concat!("The `", stringify!($module), "` service.")] $id(super::$module::$machine),)* }

        $(impl From<super::$module::Message> for Message {
            fn from(message: super::$module::Message) -> Message { Message::$id(message) }
        }
        impl From<super::$module::Timer> for Timer {
            fn from(timer: super::$module::Timer) -> Timer { Timer::$id(timer) }
        }
        impl From<super::$module::Record> for Record {
            fn from(record: super::$module::Record) -> Record { Record::$id(record) }
        })*

        impl Config {
            /// Which service it is for.
            pub fn service(&self) -> ServiceId {
                match self { $(Config::$id(_) => <super::$module::$machine as Protocol>::ID,)* }
            }

            /// Whether that service wants to hear its siblings' facts.
            pub fn hears(&self) -> bool {
                match self { $(Config::$id(_) => <super::$module::$machine as Protocol>::HEARS,)* }
            }
        }

        impl Message {
            /// Which service it belongs to.
            pub fn service(&self) -> ServiceId {
                match self { $(Message::$id(_) => <super::$module::$machine as Protocol>::ID,)* }
            }
        }

        impl fmt::Display for Message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Message::$id(message) => message.fmt(f),)* }
            }
        }

        impl Timer {
            /// Which service it belongs to.
            pub fn service(self) -> ServiceId {
                match self { $(Timer::$id(_) => <super::$module::$machine as Protocol>::ID,)* }
            }

            /// What to call it.
            pub fn name(self) -> &'static str {
                match self { $(Timer::$id(timer) => <super::$module::$machine as Protocol>::timer_name(timer),)* }
            }

            /// Whether people should see it run down.
            pub fn is_watched(self) -> bool {
                match self { $(Timer::$id(timer) => <super::$module::$machine as Protocol>::timer_is_watched(timer),)* }
            }
        }

        impl Record {
            /// Which service it belongs to.
            pub fn service(&self) -> ServiceId {
                match self { $(Record::$id(_) => <super::$module::$machine as Protocol>::ID,)* }
            }
        }

        impl Service {
            /// Starts a service from its part of the disk.
            pub fn start(config: &Config, disk: &[Record], frame: &mut Frame) -> Service {
                match config {
                    $(Config::$id(config) => {
                        let own = disk.iter().filter_map(|record| match record {
                            Record::$id(record) => Some(record.clone()),
                            #[allow(unreachable_patterns)]
                            _ => None,
                        });
                        let own: Vec<_> = own.collect();
                        Service::$id(Protocol::start(config.clone(), &own, &mut Context::new(frame)))
                    })*
                }
            }

            /// Which service this is.
            pub fn id(&self) -> ServiceId {
                match self { $(Service::$id(_) => <super::$module::$machine as Protocol>::ID,)* }
            }

            /// Whether it wants to hear its siblings' facts.
            pub fn hears(&self) -> bool {
                match self { $(Service::$id(_) => <super::$module::$machine as Protocol>::HEARS,)* }
            }

            /// Hands it a message. One of another service is ignored.
            pub fn message(&mut self, from: NodeId, message: Message, frame: &mut Frame) {
                match (self, message) {
                    $((Service::$id(service), Message::$id(message)) => {
                        service.message(from, message, &mut Context::new(frame));
                    })*
                    #[allow(unreachable_patterns)]
                    _ => {}
                }
            }

            /// Tells it that a timer ran out.
            pub fn timer(&mut self, timer: Timer, frame: &mut Frame) {
                match (self, timer) {
                    $((Service::$id(service), Timer::$id(timer)) => {
                        service.timer(timer, &mut Context::new(frame));
                    })*
                    #[allow(unreachable_patterns)]
                    _ => {}
                }
            }

            /// Hands it a sibling's request.
            pub fn request(&mut self, ticket: Ticket, call: CallId, op: Op, frame: &mut Frame) {
                match self { $(Service::$id(s) => s.request(ticket, call, op, &mut Context::new(frame)),)* }
            }

            /// Hands it a sibling's answer.
            pub fn reply(&mut self, key: u64, outcome: Outcome, frame: &mut Frame) {
                match self { $(Service::$id(s) => s.reply(key, outcome, &mut Context::new(frame)),)* }
            }

            /// Tells it a sibling's fact.
            pub fn hear(&mut self, fact: &Fact, frame: &mut Frame) {
                match self { $(Service::$id(s) => s.hear(fact, &mut Context::new(frame)),)* }
            }

            /// Has it state what a newcomer must know.
            pub fn restate(&self, frame: &mut Frame) {
                match self { $(Service::$id(s) => s.restate(&mut Context::new(frame)),)* }
            }
        }
    };
}

services! {
    Ping => ping::Ping,
    Membership => membership::Membership,
    Paxos => paxos::Paxos,
    Log => multipaxos::Log,
    Lock => lock::LockService,
    Ring => ring::Ring,
    Store => store::Store,
    Txn => commit::Transactions,
    Server => server::Server,
    Client => client::Client,
    Raft => raft::Raft,
    Zab => zab::Zab,
    Redis => redis::Redis,
    Swim => swim::Swim,
    Balance => balance::Balance,
    QuorumStore => quorumstore::QuorumStore,
    Cache => cache::Cache,
    Saga => saga::Sagas,
    Tx => tx::Tx,
    Files => files::Files,
}
