//! Our end of a pseudo-terminal where the system cannot wait for one beside everything else: a thread reads, and another
//! one writes.

use super::spawn::thread;
use portable_pty::MasterPty;
use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::mpsc as blocking;
use tokio::sync::mpsc;

/// What the process draws; closed when the terminal is.
pub(crate) type Output = mpsc::Receiver<Vec<u8>>;

/// Where keystrokes go.
pub(super) struct Input(blocking::Sender<Vec<u8>>);

/// Both directions of a terminal.
///
/// # Errors
/// Where there is no thread to be had.
pub(super) fn open(master: &dyn MasterPty) -> io::Result<(Output, Input)> {
    let reader = master.try_clone_reader().map_err(io::Error::other)?;
    let writer = master.take_writer().map_err(io::Error::other)?;
    let (output_tx, output) = mpsc::channel(OUTPUT_CHUNKS_MAX);
    let (input, input_rx) = blocking::channel();
    thread("pty-read", move || read(reader, &output_tx))?;
    thread("pty-write", move || write(writer, &input_rx))?;
    Ok((output, Input(input)))
}

impl Input {
    pub(super) fn write(&self, keys: &[u8]) {
        drop(self.0.send(keys.to_vec()));
    }
}

fn read(mut reader: Box<dyn Read + Send>, output: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = [0_u8; READ_BYTES];
    while let Ok(read @ 1..) = reader.read(&mut buffer) {
        if output.blocking_send(buffer[..read].to_vec()).is_err() {
            return;
        }
    }
}

fn write(mut writer: Box<dyn Write + Send>, input: &blocking::Receiver<Vec<u8>>) {
    while let Ok(keys) = input.recv() {
        if writer
            .write_all(&keys)
            .and_then(|()| writer.flush())
            .is_err()
        {
            return;
        }
    }
}

/// What the terminal may be ahead of the screen; then the process waits.
const OUTPUT_CHUNKS_MAX: usize = 64;
const READ_BYTES: usize = 16 * 1024;
