//! Two busy loops beside the tests, so that programs are preempted at places where a quiet machine never does.

use std::process::{Child, Command, Stdio};

/// The loops run until this is dropped.
pub struct Load(Vec<Child>);

impl Load {
    /// Starts the loops.
    pub fn start() -> std::io::Result<Load> {
        let busy = || Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn();
        Ok(Load(vec![busy()?, busy()?]))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Failing means that it has ended already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
