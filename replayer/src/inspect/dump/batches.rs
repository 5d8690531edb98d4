//! Work on many things by several threads, whose results come in the order of the things.

use anyhow::{Result, anyhow};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Batches that wait for a thread, and results that wait to be taken from it.
const AHEAD: usize = 2;
/// Threads, at most: taking the results is one thread's business.
const THREADS: usize = 8;

/// Has `work` done on each of `batches`, and gives what comes of it to `take`, in order. The first error of a batch, or of
/// `take`, ends it, after what came before has been taken.
pub fn in_order<Batch: Send, Done: Send>(
    batches: impl Iterator<Item = Result<Batch>>,
    work: impl Fn(Batch) -> Result<Done> + Sync,
    mut take: impl FnMut(Done) -> Result<()>,
) -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(THREADS);
    std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<(SyncSender<Batch>, Receiver<Result<Done>>)> = (0..threads)
            .map(|_| {
                let (batches, given) = sync_channel::<Batch>(AHEAD);
                let (done, results) = sync_channel(AHEAD);
                scope.spawn(move || {
                    // Nobody takes any more after an error.
                    given.into_iter().map(work).try_for_each(|result| done.send(result))
                });
                (batches, results)
            })
            .collect();
        let gone = || anyhow!("a thread that was to do part of the work has failed");
        let (mut given, mut taken) = (0, 0);
        let mut take_next = |taken: &mut usize| -> Result<()> {
            let (_, results) = &workers[*taken % threads];
            *taken += 1;
            take(results.recv().map_err(|_| gone())??)
        };
        let mut failed = None;
        for batch in batches {
            match batch {
                Ok(batch) => workers[given % threads].0.send(batch).map_err(|_| gone())?,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            given += 1;
            if given - taken == threads * AHEAD {
                take_next(&mut taken)?;
            }
        }
        while taken < given {
            take_next(&mut taken)?;
        }
        failed.map_or(Ok(()), Err)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn results_come_in_order_up_to_the_first_error() {
        for failing in [None, Some(0), Some(1), Some(57), Some(99)] {
            let batches = (0..100).map(|number| match failing {
                Some(failing) if number == failing => bail!("batch"),
                _ => Ok(number),
            });
            let mut taken = Vec::new();
            let result = in_order(
                batches,
                |number| Ok(number * 2),
                |done| {
                    taken.push(done);
                    Ok(())
                },
            );
            assert_eq!(result.is_err(), failing.is_some());
            assert_eq!(taken, (0..failing.unwrap_or(100)).map(|number| number * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_of_the_work_or_of_the_taker_ends_it() {
        let work = |number| if number == 7 { bail!("work") } else { Ok(number) };
        let mut count = 0;
        let result = in_order((0..1000).map(Ok), work, |_| {
            count += 1;
            Ok(())
        });
        assert_eq!((result.unwrap_err().to_string().as_str(), count), ("work", 7));
        let result =
            in_order((0..1000).map(Ok), Ok, |number| if number == 3 { bail!("taker") } else { Ok(()) });
        assert_eq!(result.unwrap_err().to_string(), "taker");
    }
}
