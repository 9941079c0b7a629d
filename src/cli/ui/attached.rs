//! The terminal of a service for the dashboard: what is drawn comes as messages, what is typed goes there.

use tokio::sync::mpsc;

use super::feeds::Task;
use crate::api::{self, Client};
use crate::effects::terminal::Size;
use crate::tui::{Msg, Seat, TerminalTold};

/// Bytes passed on at once.
const PIECE: usize = 16 << 10;

enum Input {
    Typed(Vec<u8>),
    Size(Size),
}

/// Somebody at the terminal of a service, until this is dropped.
#[derive(Debug)]
pub struct Attached {
    input: mpsc::UnboundedSender<Input>,
    _task: Task,
}

impl Attached {
    /// Attaches with so many rows and columns.
    pub fn new(client: Client, messages: mpsc::Sender<Msg>, seat: Seat, size: (u16, u16)) -> Self {
        let (input, inputs) = mpsc::unbounded_channel();
        let task = Task(tokio::spawn(follow(client, messages, (seat, size), inputs)));
        Self { input, _task: task }
    }

    /// Types something. What comes too late for anybody to read it is lost, as at any terminal.
    pub fn write(&self, typed: Vec<u8>) {
        let _ = self.input.send(Input::Typed(typed));
    }

    /// It is seen in this size from now on.
    pub fn resize(&self, size: (u16, u16)) {
        let _ = self.input.send(Input::Size(sized(size)));
    }
}

fn sized((rows, columns): (u16, u16)) -> Size {
    Size { rows, columns }
}

async fn follow(
    client: Client,
    messages: mpsc::Sender<Msg>,
    (seat, size): (Seat, (u16, u16)),
    mut inputs: mpsc::UnboundedReceiver<Input>,
) {
    let tell = async |told| messages.send(Msg::Terminal(seat.clone(), told)).await.is_ok();
    let asked = api::Attach { instance: seat.instance, rows: Some(size.0), columns: Some(size.1) };
    let (mut drawn, mut keys, is_terminal) = match client.attach(&seat.service, asked).await {
        Ok(attached) => attached,
        Err(error) => {
            tell(TerminalTold::Refused(error.to_string())).await;
            return;
        }
    };
    if !tell(TerminalTold::Begun(is_terminal)).await {
        return;
    }
    // A program that is gone is seen where it draws no more.
    let typing = async {
        while let Some(input) = inputs.recv().await {
            let _ = match input {
                Input::Typed(typed) => keys.write(&typed).await,
                Input::Size(size) if is_terminal => keys.resize(size).await,
                Input::Size(_) => Ok(()),
            };
        }
    };
    let drawing = async {
        let mut buffer = vec![0; PIECE];
        loop {
            let told = match drawn.next(&mut buffer).await {
                0 => TerminalTold::Over,
                count => TerminalTold::Drawn(buffer[..count].to_vec()),
            };
            if told == TerminalTold::Over || !tell(told).await {
                return;
            }
        }
    };
    tokio::select! {
        () = drawing => {}
        () = typing => return,
    }
    tell(TerminalTold::Over).await;
}
