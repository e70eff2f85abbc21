//! What comes from the keyboard and the mouse, read by a thread of its own.
//!
//! Reading from a terminal may take without end: for the rest of a sequence that was cut short, or
//! since the terminal is gone. Only the reader waits then; the loop still hears of signals and of
//! lost terminals. A process has one reader, since one that sits in a read cannot be called off.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, read};
use std::io;
use std::sync::mpsc as blocking;
use std::thread;
use tokio::sync::mpsc;

/// Events that are read before anyone asks for them.
const AHEAD: usize = 64;

/// The keyboard and the mouse. Nobody reads them before the first [`Keyboard::next`].
#[derive(Debug, Default)]
pub struct Keyboard {
    reader: Option<Reader>,
}

#[derive(Debug)]
struct Reader {
    events: mpsc::Receiver<io::Result<Event>>,
    go_on: blocking::Sender<()>,
    rests: bool,
}

impl Keyboard {
    /// The next event; `None` once nobody reads any more. After Ctrl+Z nobody reads until the next
    /// call: meanwhile the terminal may be a shell's. Of a call that is given up, nothing is lost.
    ///
    /// # Errors
    /// What the terminal says when it cannot be read from.
    pub async fn next(&mut self) -> Option<io::Result<Event>> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => match Reader::begin() {
                Ok(reader) => none.insert(reader),
                Err(error) => return Some(Err(error)),
            },
        };
        reader.next().await
    }
}

impl Reader {
    fn begin() -> io::Result<Reader> {
        let (news, events) = mpsc::channel(AHEAD);
        let (go_on, rest) = blocking::channel();
        let read = move || read_on(&news, &rest);
        thread::Builder::new().name("keyboard".to_owned()).spawn(read)?;
        Ok(Reader { events, go_on, rests: false })
    }

    async fn next(&mut self) -> Option<io::Result<Event>> {
        if std::mem::take(&mut self.rests) {
            // A reader that is gone is noticed by its events.
            let _ = self.go_on.send(());
        }
        let event = self.events.recv().await;
        self.rests = matches!(&event, Some(Ok(event)) if is_suspend(event));
        event
    }
}

/// Reads as long as somebody wants it, and rests after Ctrl+Z until it may go on.
fn read_on(news: &mpsc::Sender<io::Result<Event>>, rest: &blocking::Receiver<()>) {
    loop {
        let event = read();
        let last = event.is_err();
        let suspends = event.as_ref().is_ok_and(is_suspend);
        if news.blocking_send(event).is_err() || last || suspends && rest.recv().is_err() {
            return;
        }
    }
}

/// Whether this is Ctrl+Z.
pub(super) fn is_suspend(event: &Event) -> bool {
    let key = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
    matches!(event, Event::Key(pressed) if *pressed == key)
}
