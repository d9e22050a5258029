//! The scenarios: build a workflow, put load on it, note what it cost.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::Outcome;
use super::api::Api;
use super::args::{Args, Chain, Claim, ClaimNext, Common, Drain, Fan, Mixed, Scenario, Submit};
use super::args::{Via, Workers};
use super::flow::Flow;
use super::http::Connection;
use super::ledger::{Claimed, Ledger};
use super::meter::Meter;
use super::readers::Readers;
use super::report::{Call, Calls, Report};
use super::server::Server;
use super::workers::Field;
use super::{idle, workers};

/// A run of one scenario.
pub struct Run<'a> {
    /// What to run.
    pub scenario: &'a Scenario,
    /// The flags of all scenarios.
    pub flags: &'a Common,
    /// Where the server is.
    pub host: &'a str,
    /// Its process, if it is known.
    pub pid: Option<u32>,
    /// Measures the phases.
    pub meter: Meter,
    /// What is found.
    pub report: Report,
}

impl<'a> Run<'a> {
    /// A run against this server.
    pub fn new(args: &'a Args, server: &'a Server) -> Self {
        Self {
            scenario: &args.scenario,
            flags: &args.common,
            host: server.host(),
            pid: server.pid(),
            meter: Meter::new(server.pid()),
            report: Report {
                row: args.common.row.clone(),
                server: server.name().to_owned(),
                ..Report::default()
            },
        }
    }

    /// Notes the scenario and its flags.
    pub fn describe(&mut self, name: &str, flags: &impl Serialize) -> Outcome<()> {
        self.report.scenario = name.to_owned();
        self.report.flags = serde_json::to_value(flags)?;
        if let Value::Object(flags) = &mut self.report.flags {
            flags.insert("seed".to_owned(), self.flags.seed.into());
        }
        Ok(())
    }

    /// A caller for what is not measured.
    pub async fn caller(&self) -> Outcome<Api> {
        Api::open(self.host).await
    }

    /// Creates independent jobs and initialises them: two phases.
    pub async fn submit(&mut self, api: &mut Api, plan: &Submit) -> Outcome<Flow> {
        let measuring = self.meter.begin();
        let flow = Flow::independent(api, plan, self.flags.seed).await?;
        let phase = measuring.end("create", flow.jobs(), Some(flow.creating));
        self.report.phases.push(phase);
        self.initialize(api, &flow).await?;
        Ok(flow)
    }

    /// Initialises a workflow.
    async fn initialize(&mut self, api: &mut Api, flow: &Flow) -> Outcome<()> {
        self.report.jobs += flow.jobs();
        let measuring = self.meter.begin();
        let took = api.initialize(flow.id).await?;
        let phase = measuring.end("initialize", flow.jobs(), Some(took));
        self.report.phases.push(phase);
        Ok(())
    }

    /// Lets workers at the workflow, with readers beside them; then asks the server
    /// whether it counts as we do.
    async fn drain(&mut self, flow: &Flow, plan: &Workers, readers: &Readers) -> Outcome<()> {
        let field = Field::new(flow, plan)?;
        let measuring = self.meter.begin();
        let harvest = field.work(self.host, readers).await?;
        let done = harvest.ledger.completed();
        let mut phase = measuring.end("drain", done, Some(harvest.took));
        // What was on its way when the time was up has cost CPU time, but is no rate.
        phase.per_second = harvest.cycles as f64 / harvest.took.as_secs_f64().max(1e-9);
        self.report.phases.push(phase);
        self.save_timings().await?;
        self.note(harvest, flow).await
    }

    async fn note(&mut self, harvest: workers::Harvest, flow: &Flow) -> Outcome<()> {
        let mut ledger = harvest.ledger;
        let mut api = self.caller().await?;
        ledger.compare(&mut api, flow, harvest.whole).await?;
        self.report.calls = harvest.calls.figures();
        if harvest.lost {
            let text = format!(
                "{} of {} jobs could not be claimed and were given up",
                flow.jobs() - ledger.completed(),
                flow.jobs()
            );
            self.report.violations.push(text);
        }
        self.report.violations.extend(ledger.into_violations());
        Ok(())
    }

    /// Writes our server's own table where `--timings` wants it.
    pub async fn save_timings(&self) -> Outcome<()> {
        let Some(path) = &self.flags.timings else {
            return Ok(());
        };
        let mut conn = Connection::open_at(self.host, "").await?;
        let page = format_args!("/debug/timings?format=text");
        let text = conn.ok("GET", page, b"").await?;
        std::fs::write(path, text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
    }
}

/// Runs the scenario that was asked for.
pub async fn run(run: Run<'_>) -> Outcome<Report> {
    match run.scenario {
        Scenario::Submit(plan) => submit(run, plan).await,
        Scenario::Drain(plan) => drain(run, plan).await,
        Scenario::ClaimNext(plan) => claim_next(run, plan).await,
        Scenario::Chain(plan) => chain(run, plan).await,
        Scenario::Fan(plan) => fan(run, plan).await,
        Scenario::Mixed(plan) => mixed(run, plan).await,
        Scenario::Idle(plan) => idle::idle(run, plan).await,
        // Dealt with before there is a server.
        Scenario::Table(_) => Err("a table needs no server".into()),
    }
}

async fn submit(mut run: Run<'_>, plan: &Submit) -> Outcome<Report> {
    run.describe("submit", plan)?;
    let mut api = run.caller().await?;
    let flow = run.submit(&mut api, plan).await?;
    let status = api.status(flow.id).await?;
    let ready = status.jobs_by_status.get("ready").copied();
    if ready != Some(flow.jobs() as i64) {
        let text = format!("of {} jobs, {ready:?} are ready", flow.jobs());
        run.report.violations.push(text);
    }
    run.save_timings().await?;
    Ok(run.report)
}

async fn drain(mut run: Run<'_>, plan: &Drain) -> Outcome<Report> {
    run.describe("drain", plan)?;
    let mut api = run.caller().await?;
    let flow = run.submit(&mut api, &plan.submit).await?;
    let every = |rate: f64| Duration::from_secs_f64(1.0 / rate);
    let readers = Readers {
        count: plan.readers,
        seed: run.flags.seed,
        in_turn: true,
        every: plan.reader_rate.map(every),
    };
    run.drain(&flow, &plan.workers, &readers).await?;
    Ok(run.report)
}

async fn mixed(mut run: Run<'_>, plan: &Mixed) -> Outcome<Report> {
    run.describe("mixed", plan)?;
    let mut api = run.caller().await?;
    let flow = run.submit(&mut api, &plan.submit).await?;
    let mean = plan.readers as f64 / plan.rate;
    let readers = Readers {
        count: plan.readers,
        seed: run.flags.seed,
        in_turn: false,
        every: Some(Duration::from_secs_f64(mean)),
    };
    run.drain(&flow, &plan.workers, &readers).await?;
    Ok(run.report)
}

async fn chain(mut run: Run<'_>, plan: &Chain) -> Outcome<Report> {
    run.describe("chain", plan)?;
    let mut api = run.caller().await?;
    let worker = Workers {
        workers: 1,
        claim: Claim::Resources,
        claim_limit: 1,
        batch: false,
        cycles: None,
        seconds: None,
    };
    let mut flows = Vec::new();
    for _ in 0..plan.chains {
        let measuring = run.meter.begin();
        let flow = Flow::chain(&mut api, plan.links).await?;
        let phase = measuring.end("create", flow.jobs(), Some(flow.creating));
        run.report.phases.push(phase);
        run.initialize(&mut api, &flow).await?;
        flows.push(flow);
    }
    let measuring = run.meter.begin();
    let alone = Readers::default();
    let mut all = Vec::new();
    for flow in &flows {
        all.push(Field::new(flow, &worker)?.work(run.host, &alone));
    }
    let harvests = futures_util::future::try_join_all(all).await?;
    let jobs = plan.links * plan.chains;
    run.report.phases.push(measuring.end("drain", jobs, None));
    run.save_timings().await?;
    let mut calls = Calls::new()?;
    for (harvest, flow) in harvests.into_iter().zip(&flows) {
        calls.add(&harvest.calls)?;
        run.note(harvest, flow).await?;
    }
    run.report.calls = calls.figures();
    Ok(run.report)
}

async fn fan(mut run: Run<'_>, plan: &Fan) -> Outcome<Report> {
    run.describe("fan", plan)?;
    let mut api = run.caller().await?;
    let measuring = run.meter.begin();
    let size = (plan.width, plan.layers);
    let flow = Flow::layered(&mut api, plan.shape, size, plan.via).await?;
    let phase = measuring.end("create", flow.jobs(), Some(flow.creating));
    run.report.phases.push(phase);
    let pairs = flow.layers.windows(2);
    let edges: usize = pairs.map(|pair| pair[0].len() * pair[1].len()).sum();
    let through = if plan.via == Via::Files {
        "files"
    } else {
        "jobs"
    };
    let name = format!("dependencies_by_{through}");
    run.report.extras.insert(name, edges as f64);
    run.initialize(&mut api, &flow).await?;
    if plan.no_drain {
        run.save_timings().await?;
    } else {
        run.drain(&flow, &plan.workers, &Readers::default()).await?;
    }
    Ok(run.report)
}

async fn claim_next(mut run: Run<'_>, plan: &ClaimNext) -> Outcome<Report> {
    run.describe("claim_next", plan)?;
    let mut api = run.caller().await?;
    let flow = run.submit(&mut api, &plan.submit).await?;
    let mut callers = Vec::new();
    for _ in 0..plan.workers {
        callers.push(run.caller().await?);
    }
    let counter = Counter {
        plan,
        flow: &flow,
        ledger: RefCell::new(Ledger::new(&flow)?),
        calls: RefCell::new(Calls::new()?),
        left: Cell::new(plan.claims),
    };
    let measuring = run.meter.begin();
    futures_util::future::try_join_all(callers.into_iter().map(|api| counter.claim(api))).await?;
    let claims = usize::try_from(plan.claims)?;
    run.report.phases.push(measuring.end("claim", claims, None));
    run.save_timings().await?;
    run.report.calls = counter.calls.into_inner().figures();
    let violations = counter.ledger.into_inner().into_violations();
    run.report.violations.extend(violations);
    Ok(run.report)
}

/// Where jobs are claimed and given back.
struct Counter<'a> {
    plan: &'a ClaimNext,
    flow: &'a Flow,
    ledger: RefCell<Ledger>,
    calls: RefCell<Calls>,
    left: Cell<u64>,
}

impl Counter<'_> {
    async fn claim(&self, mut api: Api) -> Outcome<()> {
        let mut jobs = Vec::new();
        while let Some(after) = self.left.get().checked_sub(1) {
            self.left.set(after);
            let begun = Instant::now();
            let (way, limit) = (self.plan.claim, self.plan.claim_limit);
            api.claim(self.flow.id, way, limit, &mut jobs).await?;
            self.calls.borrow_mut().record(Call::Claim, begun.elapsed());
            for job in &jobs {
                let claimed = self.ledger.borrow_mut().claim(*job);
                if !self.plan.consume && !matches!(claimed, Claimed::Wrongly) {
                    // Noted before it is asked for: another may have it before the answer.
                    self.ledger.borrow_mut().put_back(*job);
                    api.make_ready(*job).await?;
                }
            }
        }
        Ok(())
    }
}
