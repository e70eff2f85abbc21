//! The verb `layouts`: what layouts there are, and the text of one.

use super::{OK, Outcome};
use crate::error::Source;
use crate::script::Stop;
use crate::tui::Library;
use std::io::Write;

/// Lists all layouts, or prints one.
pub(super) fn layouts(
    library: &Library,
    name: Option<&str>,
    out: &mut dyn Write,
) -> Result<Outcome, Stop> {
    match name {
        Some(name) => {
            let layout = library.load(name).map_err(Stop::Refused)?;
            match layout.file() {
                Some(file) => {
                    let source = Source::read(&file.to_string_lossy()).map_err(Stop::Refused)?;
                    write!(out, "{}", source.text)?;
                }
                None => write!(out, "{}", Library::builtin(name).unwrap_or_default())?,
            }
        }
        None => {
            for found in library.list() {
                let from =
                    found.file.map_or("built in".to_owned(), |file| file.display().to_string());
                match found.layout {
                    Ok(layout) => {
                        writeln!(out, "{:<15} {}", found.name, layout.about)?;
                        let suits = layout.suits.join(", ");
                        writeln!(out, "{:<15} for {suits}; {from}", "")?;
                    }
                    Err(error) => writeln!(out, "{:<15} wrong: {}", found.name, error.line())?,
                }
            }
        }
    }
    out.flush()?;
    Ok(Outcome::Done(OK))
}
