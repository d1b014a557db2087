//! A terminal for a program: somebody reads what it asks, and types.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// How long somebody waits for a question, and for the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks whether a program has ended.
const MOMENT: Duration = Duration::from_secs(1);
const CTRL_C: &str = "\u{3}";

/// A pseudo-terminal with a program at it.
pub struct Terminal;

impl Terminal {
    /// Runs a program at a terminal to its good end; see [`Terminal::run_to`].
    ///
    /// # Panics
    /// Where it never asks, does not end, or ends badly.
    pub fn run(command: Command, answers: &[(&str, &str)]) -> String {
        Self::run_to(0, command, answers)
    }

    /// Runs a program at a terminal; types an answer once the text before it has been shown. Gives all that was shown.
    ///
    /// # Panics
    /// Where it never asks, does not end, or ends with another code.
    pub fn run_to(code: i32, mut command: Command, answers: &[(&str, &str)]) -> String {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let side = || Stdio::from(OpenOptions::new().read(true).write(true).open(&name).unwrap());
        let mut child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        // Its ends are the child's alone, so that its end ends the reading.
        drop(command);
        let mut keyboard = File::from(controller);
        let shown = reader(keyboard.try_clone().unwrap());
        let (mut all, mut seen) = (String::new(), 0);
        for (question, typed) in answers {
            while !all[seen..].contains(question) {
                let part = shown.recv_timeout(PATIENCE);
                all.push_str(&part.unwrap_or_else(|_| panic!("it never asked {question:?}: {all}")));
            }
            seen = all.len();
            keyboard.write_all(typed.as_bytes()).unwrap();
        }
        let began = Instant::now();
        let presses_again = answers.last().is_some_and(|(_, typed)| *typed == CTRL_C);
        loop {
            match shown.recv_timeout(MOMENT) {
                Ok(part) => all.push_str(&part),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                // Nobody's signal here: what is typed before the program reads keys is lost.
                Err(mpsc::RecvTimeoutError::Timeout) if presses_again => {
                    let _ = keyboard.write_all(CTRL_C.as_bytes());
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {all}");
        }
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(code), "{status}: {all}");
        all
    }
}

/// What a terminal shows, piece by piece, until nobody writes to it any more.
fn reader(mut screen: File) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut piece = [0; 4096];
        // Linux says so with an error.
        while let Ok(length @ 1..) = screen.read(&mut piece) {
            if sender.send(String::from_utf8_lossy(&piece[..length]).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}
