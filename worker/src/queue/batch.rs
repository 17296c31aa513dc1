//! Calls that share a round trip: those that come while one is under way go together in the next. Whoever is alone waits for nobody.

use tokio::sync::{mpsc, oneshot};

/// Callers' inputs on their way, each with where its output goes.
pub(super) struct Batch<I, O, E> {
    sender: mpsc::UnboundedSender<(I, oneshot::Sender<Result<O, E>>)>,
}

impl<I, O, E> Batch<I, O, E>
where
    I: Send + 'static,
    O: Send + 'static,
    E: Clone + Send + 'static,
{
    /// `run` gets at most so many inputs, and answers each in its place. It ends with the last caller.
    pub(super) fn new<F>(most: usize, run: impl Fn(Vec<I>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Vec<O>, E>> + Send,
    {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut waiting = Vec::new();
            while receiver.recv_many(&mut waiting, most).await > 0 {
                let (inputs, answers): (Vec<I>, Vec<oneshot::Sender<_>>) = waiting.drain(..).unzip();
                let outputs = run(inputs).await;
                match outputs {
                    // Who no longer waits for an answer needs none.
                    Ok(outputs) => answers.into_iter().zip(outputs).for_each(|(answer, output)| {
                        answer.send(Ok(output)).ok();
                    }),
                    Err(error) => answers.into_iter().for_each(|answer| {
                        answer.send(Err(error.clone())).ok();
                    }),
                }
            }
        });
        Self { sender }
    }

    /// Absent when the answer was lost, which takes the end of the runtime or a panic.
    pub(super) async fn call(&self, input: I) -> Option<Result<O, E>> {
        let (answer, answered) = oneshot::channel();
        self.sender.send((input, answer)).ok()?;
        answered.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn callers_share_what_begins_while_they_wait_and_each_gets_its_own_answer() {
        let (sizes, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let batch = Batch::new(4, {
            let (sizes, gate) = (sizes.clone(), gate.clone());
            move |inputs: Vec<u32>| {
                let (sizes, gate) = (sizes.clone(), gate.clone());
                async move {
                    gate.acquire().await.unwrap().forget();
                    sizes.lock().unwrap().push(inputs.len());
                    match inputs.contains(&13) {
                        true => Err("unlucky"),
                        false => Ok(inputs.iter().map(|input| input * 2).collect()),
                    }
                }
            }
        });
        let first = batch.call(1);
        let rest = join_all((2..=6).map(|input| batch.call(input)));
        let open = async { gate.add_permits(3) };
        let (first, rest, ()) = tokio::join!(first, rest, open);
        assert_eq!(first, Some(Ok(2)));
        assert_eq!(rest, (2..=6).map(|input| Some(Ok(input * 2))).collect::<Vec<_>>());
        assert!(sizes.lock().unwrap().iter().all(|size| *size <= 4));
        assert!(sizes.lock().unwrap().len() <= 3, "{sizes:?}");
        gate.add_permits(1);
        assert_eq!(
            join_all([batch.call(12), batch.call(13)]).await,
            [Some(Err("unlucky")), Some(Err("unlucky"))]
        );
    }
}
