//! `torc timings --watch`: what goes on now, drawn again and again.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::tables::{Look, rates};
use super::{ViewArgs, fetch};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::figures::seconds;
use crate::cli::screen::{Key, Keys, Live, Size, can_redraw};
use crate::clock;
use crate::wire::debug::Timings;

/// What is looked at unless the command line says otherwise.
const WINDOW: &str = "10s";

/// What ends a view.
struct Ends {
    keys: Option<Keys>,
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// Why to draw again, or no more.
enum Next {
    Draw,
    End,
}

/// Draws until somebody ends it. A server that goes away meanwhile is waited for.
///
/// # Errors
///
/// [`Failure`] if the server refuses from the start, or there is nowhere to draw.
pub async fn run(context: &Context, args: &ViewArgs, pause: f64) -> Result<(), Failure> {
    let listening = Ends::listen().and_then(|ends| {
        let resized = signal(SignalKind::window_change())?;
        Ok((ends, resized))
    });
    let (mut ends, mut resized) =
        listening.map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
    let window = args.window.as_deref().unwrap_or(WINDOW);
    // Before the screen is changed: what is wrong with the call is told where it stays.
    let mut report = Ok(fetch(context, args, window).await?);
    let no_screen = |error| Failure::new(format!("cannot draw: {error}"));
    let live = if can_redraw() && !context.output.is_json() {
        Some(Live::enter().map_err(no_screen)?)
    } else {
        None
    };
    let pause = Duration::from_secs_f64(pause);
    loop {
        let due = Instant::now() + pause;
        let drawn = match &live {
            Some(live) => {
                let size = Size::of_output();
                let rows = size.rows.unwrap_or(24);
                live.show(&frame(context, &report, args, pause, size, rows), rows)
            }
            None => plain(context, &report, args, pause),
        };
        match drawn {
            Ok(()) => {}
            // The reader has had enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => {
                drop(live);
                return Err(no_screen(error));
            }
        }
        if matches!(ends.wait(&mut resized, due).await, Next::End) {
            return Ok(());
        }
        // A server that hangs must not hold up the end.
        report = tokio::select! {
            report = fetch(context, args, window) => report,
            () = ends.end() => return Ok(()),
        };
    }
}

/// One picture of the whole screen.
fn frame(
    context: &Context,
    report: &Result<Timings, Failure>,
    args: &ViewArgs,
    pause: Duration,
    size: Size,
    rows: usize,
) -> String {
    let server = context.client.base_url();
    let server = server
        .strip_suffix(crate::wire::BASE_PATH)
        .unwrap_or(server);
    let every = pause.as_secs_f64();
    match report {
        Ok(report) => {
            let look = Look {
                columns: size.columns,
                limit: args.limit.map_or(usize::MAX, |limit| limit as usize),
                colors: context.output.colors && can_redraw(),
            };
            let title = format!(
                "{server}, up {}: last {}, every {every} s; q or Ctrl-C ends",
                seconds(report.uptime_s),
                seconds(report.window_s),
            );
            format!("{title}\n{}", rates(report, look, rows))
        }
        Err(failure) => format!("{server}\n{failure}\nAsking again every {every} s\n"),
    }
}

/// One picture after the other, or for programs one object in each line.
fn plain(
    context: &Context,
    report: &Result<Timings, Failure>,
    args: &ViewArgs,
    pause: Duration,
) -> io::Result<()> {
    let text = match (context.output.is_json(), report) {
        (true, Ok(report)) => format!("{}\n", super::as_value(report)),
        (true, Err(failure)) => format!("{}\n", json!({"error": failure.to_string()})),
        (false, _) => {
            let size = Size {
                rows: None,
                ..Size::of_output()
            };
            let picture = frame(context, report, args, pause, size, 40);
            format!("{}\n{picture}\n", clock::now_millis_text())
        }
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

impl Ends {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            keys: Keys::take(),
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Until it is time to draw again, somebody wants the end, or the window has another
    /// size.
    async fn wait(&mut self, resized: &mut Signal, due: Instant) -> Next {
        tokio::select! {
            () = sleep_until(due) => Next::Draw,
            () = self.end() => Next::End,
            _ = resized.recv() => Next::Draw,
        }
    }

    /// Until somebody wants the end.
    async fn end(&mut self) {
        let quit = async {
            match &self.keys {
                Some(keys) => while keys.next().await != Key::Quit {},
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
            () = quit => {}
        }
    }
}
