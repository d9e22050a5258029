//! throwaway
use clap::Parser;
use std::time::Duration;
use torc_server::config::telemetry::*;
use torc_server::telemetry::{self, resource::Resource, signal::Sigusr1, task};
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    t: TelemetryArgs,
    #[arg(long, default_value_t = 64)]
    conns: usize,
    #[arg(long, default_value_t = 3125)]
    rounds: usize,
    #[arg(long, default_value_t = 0)]
    linger: u64,
}
fn rss() -> String {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .find(|l| l.starts_with("VmRSS"))
        .unwrap()
        .to_string()
}
#[tracing::instrument(
    level = "debug",
    target = "torc_server::smoke",
    skip_all,
    fields(workflow_id = 1, limit = 10)
)]
async fn prepare_ready_jobs(sleep: bool) {
    std::hint::black_box(0);
    if sleep {
        tokio::time::sleep(Duration::from_millis(2)).await
    }
}
#[tracing::instrument(level = "debug", target = "torc_server::smoke", skip(res, sem, tx))]
async fn complete_job(
    job_id: usize,
    res: &Resource,
    sem: &tokio::sync::Semaphore,
    tx: &tokio::sync::mpsc::Sender<tokio::sync::oneshot::Sender<u32>>,
) {
    let (otx, orx) = tokio::sync::oneshot::channel();
    let _p = sem.acquire().await.unwrap();
    tx.send(otx).await.unwrap();
    res.wait("Writer::submit", orx).await.unwrap();
    prepare_ready_jobs(job_id % 50 == 0).await;
}
fn main() {
    let cli = Cli::parse();
    let cfg = TelemetryConfig::new(cli.t).unwrap_or_else(|e| {
        eprintln!("{e}");
        std::process::exit(2)
    });
    let rt = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let g = rt.enter();
    let sig = Sigusr1::install().unwrap();
    let tel = match telemetry::init(&cfg) {
        Ok(t) => t,
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(2)
        }
    };
    let h = tel.handle();
    h.start_gathering();
    sig.listen(tel.handle(), vec![]);
    tracing::info!("start {}", rss());
    let (conns, rounds, linger) = (cli.conns, cli.rounds, cli.linger);
    rt.block_on(async move {
        let res = Resource::new("Writer", "Sync");
        let sem = std::sync::Arc::new(tokio::sync::Semaphore::new(32));
        let (tx, mut rx) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<u32>>(64);
        let writer = std::thread::spawn(move || {
            while let Some(o) = rx.blocking_recv() {
                let _ = o.send(1);
            }
        });
        let mut v = vec![];
        let t = std::time::Instant::now();
        for c in 0..conns {
            let (res, sem, tx) = (res.clone(), sem.clone(), tx.clone());
            v.push(task::spawn("http-connection", async move {
                for r in 0..rounds {
                    complete_job(c * rounds + r, &res, &sem, &tx).await;
                    #[allow(clippy::disallowed_methods)]
                    {
                        tokio::spawn(async {}).await.unwrap();
                    }
                }
                tokio::time::sleep(Duration::from_secs(linger)).await;
            }));
        }
        drop(tx);
        let vv = task::spawn("watch", async move {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                tracing::info!("{}", rss());
            }
        });
        for x in v {
            x.await.unwrap();
        }
        tracing::info!("done in {:?} {}", t.elapsed(), rss());
        vv.abort();
        writer.join().unwrap();
    });
    drop(g);
    let t = std::time::Instant::now();
    let txt = h.report_text();
    eprintln!("{:?}\n{txt}", t.elapsed());
    rt.shutdown_timeout(Duration::from_secs(1));
    tel.shutdown();
}
