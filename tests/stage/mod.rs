//! The screen and the cluster that it steers, without a thread or a terminal between them.

use netsplit::sim::player::Player;
use netsplit::tui::app::App;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Has the cluster do what one command says.
pub(crate) fn command(app: &mut App, player: &mut Player, line: &str) {
    player.command(line.parse().expect("a command"), &mut |update| {
        app.update(update);
    });
}

/// Lets the cluster do what the app wants of it, until it wants nothing more.
pub(crate) fn settle(app: &mut App, player: &mut Player) {
    loop {
        let commands = app.commands();
        if commands.is_empty() {
            return;
        }
        for command in commands {
            player.command(command, &mut |update| {
                app.update(update);
            });
            while player.busy() {
                player.slice(&mut |update| {
                    app.update(update);
                });
            }
        }
    }
}

/// What stands on a screen of that size.
pub(crate) fn screen(app: &App, width: u16, height: u16) -> String {
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    app.draw(&mut buf);
    let row = |y| (0..width).map(|x| buf[(x, y)].symbol()).collect::<String>() + "\n";
    (0..height).map(row).collect()
}
