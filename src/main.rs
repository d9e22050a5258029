//! `torc-server`: parses, starts what it shows of itself, runs until it is told to stop.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use torc_server::config::database_path;
use torc_server::config::export::ExportArgs;
use torc_server::config::htpasswd::HtpasswdCommand;
use torc_server::config::telemetry::TelemetryConfig;
use torc_server::config::{Cli, Command, Durability, RunArgs};
use torc_server::say::say;
use torc_server::server::auth::AuthConfig;
use torc_server::server::tls::TlsConfig;
use torc_server::server::{self, RunningServer, ServerConfig};
use torc_server::store::export::{Export, Exported, Kept};
use torc_server::telemetry::about::About;
use torc_server::telemetry::signal::{Hook, Sigusr1};
use torc_server::telemetry::{self, TelemetryHandle, task};
use torc_server::{htpasswd, shutdown, store};

/// The flight recorder keeps small pieces for some seconds and gives them back in the order
/// in which they came. Under load glibc's allocator spends a third of the server's time on
/// that; this one does not.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Failure = Box<dyn std::error::Error>;

/// How long the database may take to close after the last request.
const CLOSE: Duration = Duration::from_secs(9);

/// How long log lines may take that should be written before something else happens.
const FLUSH: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    // First of all: until this is done, SIGUSR1 would end the process.
    let early = match hold_sigusr1() {
        Ok(early) => early,
        Err(error) => return failed(&error),
    };
    // A missing file is the usual case; a malformed line should not stop the server.
    let _ = dotenvy::dotenv();
    let args = match Cli::read().command {
        Some(Command::Run(args)) => *args,
        Some(Command::Htpasswd(command)) => return htpasswd(command),
        Some(Command::Export(args)) => return export(&args),
        // Refused when it was read.
        Some(Command::Service { .. }) => return ExitCode::from(2),
        None => match RunArgs::defaults() {
            Ok(args) => args,
            Err(error) => error.exit(),
        },
    };
    let outcome = run(args);
    drop(early);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn htpasswd(command: HtpasswdCommand) -> ExitCode {
    match htpasswd::command::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("torc-server: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

fn export(args: &ExportArgs) -> ExitCode {
    let source = match database_path(args.database.as_deref()) {
        Ok(Some(path)) => path,
        Ok(None) => return failed(&*Failure::from("a database in memory has no file to copy")),
        Err(error) => return failed(&*Failure::from(error)),
    };
    let kept = if !args.workflows.is_empty() {
        Kept::Ids(args.workflows.clone())
    } else if !args.users.is_empty() {
        Kept::Users(args.users.clone())
    } else if !args.access_groups.is_empty() {
        Kept::Groups(args.access_groups.clone())
    } else {
        Kept::All
    };
    let export = Export {
        source,
        target: args.output.clone(),
        kept,
        overwrite: args.overwrite,
        access_groups: args.preserve_access_groups,
        vacuum: !args.no_vacuum,
    };
    say(format_args!("copying {} ...", export.source.display()));
    let done = match export.run() {
        Ok(done) => done,
        Err(error) => return failed(&error),
    };
    let Exported {
        workflows,
        jobs,
        bytes,
    } = done;
    let output = args.output.display();
    if args.json {
        server::tell(format_args!(
            "{}",
            serde_json::json!({
                "output": output.to_string(), "workflows": workflows, "jobs": jobs, "bytes": bytes,
            })
        ));
    } else {
        say(format_args!(
            "exported {workflows} workflows with {jobs} jobs to {output} ({bytes} bytes)"
        ));
    }
    ExitCode::SUCCESS
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    say(format_args!("torc-server: {error}"));
    ExitCode::FAILURE
}

/// Installs the handler within a runtime that does nothing else. It stays installed
/// for the life of the process; the server's own runtime listens later.
fn hold_sigusr1() -> std::io::Result<(tokio::runtime::Runtime, Sigusr1)> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let installed = {
        let _inside = runtime.enter();
        Sigusr1::install()?
    };
    Ok((runtime, installed))
}

fn run(args: RunArgs) -> Result<(), Failure> {
    let database = args.database_path()?;
    let mut config = TelemetryConfig::new(args.telemetry.clone())?;
    if let Some(path) = &database {
        config.dump_beside(path);
    }
    // What the log says of a dump should be found from any directory.
    config.dump_dir = std::path::absolute(&config.dump_dir)?;
    let telemetry = telemetry::init(&config)?;
    let beside = database.as_ref().map(|path| match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    });
    let about = About::new(args.told(), beside, store::sqlite_version());
    telemetry.handle().describe(about);
    let runtime = telemetry::runtime::instrument(&mut Builder::new_multi_thread())
        .worker_threads(args.worker_threads())
        .thread_name("torc-runtime")
        .enable_all()
        .build()?;
    if let Err(error) = telemetry::runtime::watch(runtime.handle(), config.stall_threshold) {
        tracing::warn!("nobody watches for tasks that keep a worker thread: {error}");
    }
    let outcome = runtime.block_on(serve(args, database, telemetry.handle()));
    // A task that hangs must not keep the last log lines from the disk.
    runtime.shutdown_timeout(Duration::from_millis(500));
    telemetry.shutdown();
    outcome
}

async fn serve(
    args: RunArgs,
    database: Option<PathBuf>,
    telemetry: TelemetryHandle,
) -> Result<(), Failure> {
    let sigusr1 = Sigusr1::install()?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let tls = args.tls.files()?;
    warn_of_half_measures(&args);
    let config = ServerConfig {
        host: args.host.clone(),
        port: args.port,
        database,
        durability: match args.durability {
            Durability::Power => store::Durability::Power,
            Durability::Process => store::Durability::Process,
        },
        write_queue: args.write_queue as usize,
        readers: args.worker_threads().max(2) + 2,
        sweep_interval: args.completion_check_interval_secs,
        shown_body_bytes: args.api_event_body_max_bytes as usize,
        bulk_body_bytes: (args.max_request_body_mb as usize) << 20,
        tls: tls.map(|(cert, key)| TlsConfig { cert, key }),
        auth: AuthConfig {
            file: args.access.auth_file.clone(),
            required: args.access.require_auth,
            cache_ttl: Duration::from_secs(args.access.credential_cache_ttl_secs.into()),
        },
        enforce_access_control: args.access.enforce_access_control,
        admin_users: args.access.admins(),
        admin_sql: !args.access.disable_admin_sql,
        admin_sql_writes: !args.access.disable_admin_sql_writes,
        ..ServerConfig::default()
    };
    let server = server::start(config, Some(telemetry.clone())).await?;
    sigusr1.listen(telemetry.clone(), hooks(&args, &server)?);
    read_again_on_sighup(&server)?;
    telemetry.start_gathering();
    announce(&server, &telemetry)?;

    let stdin = args.shutdown_on_stdin_eof.then(stdin_end).transpose()?;
    let stdin_ended = async {
        match stdin {
            Some(end) => end.begun().await,
            None => std::future::pending().await,
        }
    };
    let why = tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        () = stdin_ended => "the end of standard input",
    };
    tracing::info!("stopping after {why}: finishing open requests and queued writes");
    task::spawn("second-signal", async move {
        let code = tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        };
        tracing::warn!("ended at once by a second signal");
        telemetry.flush(FLUSH);
        std::process::exit(code);
    });
    if tokio::time::timeout(CLOSE, server.stop()).await.is_err() {
        return Err("the database did not close in time".into());
    }
    tracing::info!("stopped");
    Ok(())
}

/// Says what looks safer than it is.
fn warn_of_half_measures(args: &RunArgs) {
    let (tls, access) = (&args.tls, &args.access);
    if !tls.https && (tls.tls_cert.is_some() || tls.tls_key.is_some()) {
        tracing::warn!("the TLS certificate and key are not used without --https");
    }
    let stays_here = ["127.0.0.1", "::1", "localhost"].contains(&args.host.as_str());
    if !tls.https && access.auth_file.is_some() && !stays_here {
        tracing::warn!(
            "passwords cross the network for everybody to read, unless a proxy in front of \
             this server speaks HTTPS; see --https"
        );
    }
    if access.enforce_access_control && access.auth_file.is_none() {
        tracing::warn!(
            "access control knows nobody without --auth-file, so that nobody may do anything"
        );
    }
}

/// Prints the line that programs wait for, and says on standard error what runs where.
fn announce(server: &RunningServer, telemetry: &TelemetryHandle) -> std::io::Result<()> {
    let address = server.address();
    let database = if server.in_memory() {
        "in memory".to_owned()
    } else {
        std::path::absolute(server.database())?
            .display()
            .to_string()
    };
    tracing::info!(%address, %database, "torc-server {} is up", env!("CARGO_PKG_VERSION"));
    // Whoever has read the port finds in the log what runs where.
    telemetry.flush(FLUSH);
    server::tell(format_args!("TORC_SERVER_PORT={}", address.port()));
    Ok(())
}

/// What SIGUSR1 does besides the dump: the snapshot of the database, where it is wanted.
fn hooks(args: &RunArgs, server: &RunningServer) -> std::io::Result<Vec<Hook>> {
    let target = match (&args.snapshot_path, server.in_memory()) {
        (Some(path), _) => path.clone(),
        (None, true) => PathBuf::from("./torc-server-snapshot.db"),
        (None, false) => return Ok(Vec::new()),
    };
    let target = std::path::absolute(target)?;
    let wake = server.snapshots_to(target, usize::from(args.snapshot_keep.max(1)));
    Ok(vec![Box::new(move || wake.notify_one())])
}

/// SIGHUP has files read again. Only where there are none and the server was started at a
/// terminal, it ends the process, as it does when that is closed.
fn read_again_on_sighup(server: &RunningServer) -> std::io::Result<()> {
    if !server.reload().reads_something() && std::io::stdin().is_terminal() {
        return Ok(());
    }
    let mut hangup = signal(SignalKind::hangup())?;
    let reload = server.reload().clone();
    task::spawn("sighup-reads-files", async move {
        while hangup.recv().await.is_some() {
            reload.reload().await;
        }
    });
    Ok(())
}

/// Begins when standard input ends.
fn stdin_end() -> std::io::Result<shutdown::Shutdown> {
    let (trigger, ended) = shutdown::pair();
    // A thread of its own: the runtime would wait for a blocked read when it ends.
    std::thread::Builder::new()
        .name("stdin-end".to_owned())
        .spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            trigger.begin();
        })?;
    Ok(ended)
}
