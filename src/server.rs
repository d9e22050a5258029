//! Joins store, engine and router into a running server: the one place where the
//! parts meet. Handlers are in `server/api`, rules in `engine`, SQL in `store`.

pub mod answers;
pub mod api;
pub mod auth;
pub mod bodies;
pub mod debug;
pub mod error;
pub mod events;
pub mod extract;
pub mod http;
pub mod openapi;
pub mod recorded;
pub mod reload;
pub mod router;
mod stalled;
pub mod tls;
pub mod traffic;

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use self::answers::Answers;
use self::auth::{Auth, AuthConfig, AuthError};
use self::reload::Reload;
use self::router::Bounds;
use self::tls::{Tls, TlsConfig, TlsError};
use crate::engine::{AccessRules, AdminSql, Broadcaster, Engine};
use crate::shutdown::{self, Trigger};
use crate::store::open::OpenError;
use crate::store::{Durability, OpenOptions, Store, snapshot};
use crate::telemetry::{TelemetryHandle, task};

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Name or address to listen on.
    pub host: String,
    /// Port to listen on; 0 for any free one.
    pub port: u16,
    /// The database file; `None` for one that ends with the process.
    pub database: Option<PathBuf>,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Commands that may wait for the writer.
    pub write_queue: usize,
    /// Read connections.
    pub readers: usize,
    /// Time between sweeps for endings that other programs wrote down.
    pub sweep_interval: Duration,
    /// Bytes of a bulk request at most.
    pub bulk_body_bytes: usize,
    /// Bytes of a body that administrators are shown in the stream of requests.
    pub shown_body_bytes: usize,
    /// Bytes of all large answers that are not sent yet.
    pub answer_bytes: usize,
    /// How long a client may leave untaken what it is sent.
    pub write_timeout: Duration,
    /// The certificate; without one connections are plain.
    pub tls: Option<TlsConfig>,
    /// Who has to say who they are.
    pub auth: AuthConfig,
    /// Let workflows be used by those only who may.
    pub enforce_access_control: bool,
    /// Users who may do everything.
    pub admin_users: Vec<String>,
    /// Administrators may send SQL.
    pub admin_sql: bool,
    /// Administrators may change rows by SQL.
    pub admin_sql_writes: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 0,
            database: None,
            durability: Durability::Power,
            write_queue: 4096,
            readers: 4,
            sweep_interval: Duration::from_secs(30),
            bulk_body_bytes: router::BULK_BODY_BYTES,
            shown_body_bytes: traffic::SHOWN_BYTES,
            answer_bytes: answers::ALL_ANSWERS,
            write_timeout: http::WRITE,
            tls: None,
            auth: AuthConfig::default(),
            enforce_access_control: false,
            admin_users: Vec::new(),
            admin_sql: true,
            admin_sql_writes: true,
        }
    }
}

/// Why a server did not start; each text is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The users.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The address.
    #[error("cannot listen on {address}: {cause}{hint}")]
    Listen {
        /// What was asked for.
        address: String,
        /// What the system says.
        cause: std::io::Error,
        /// What to do.
        hint: &'static str,
    },
}

/// A server that answers; stop it with [`RunningServer::stop`].
pub struct RunningServer {
    address: SocketAddr,
    store: Store,
    trigger: Trigger,
    http: JoinHandle<()>,
    sweep: JoinHandle<()>,
    reload: Reload,
}

/// Starts a server: it answers when this returns.
///
/// # Errors
///
/// A database that cannot be opened, an address that cannot be had.
pub async fn start(
    config: ServerConfig,
    telemetry: Option<TelemetryHandle>,
) -> Result<RunningServer, StartError> {
    let auth = Auth::new(&config.auth)?;
    for admin in config.admin_users.iter().filter(|admin| auth.lacks(admin)) {
        tracing::warn!("the administrator {admin} is no user of the auth file");
    }
    let tls = config.tls.as_ref().map(Tls::new).transpose()?;
    // The port before the database: a second server on it should not touch the database.
    let listener = listen(&config.host, config.port).await?;
    let address = listener.local_addr().map_err(|cause| StartError::Listen {
        address: config.host.clone(),
        cause,
        hint: "",
    })?;
    let events = Broadcaster::default();
    let options = OpenOptions {
        path: config.database,
        durability: config.durability,
        queue_capacity: config.write_queue,
        readers: config.readers,
    };
    let perform = {
        let events = events.clone();
        Box::new(move |effects| events.perform(effects))
    };
    let store = Store::open(&options, perform).await?;
    let rules = AccessRules {
        enforced: config.enforce_access_control,
        admins: config.admin_users.iter().cloned().collect(),
    };
    let engine = Engine::new(store.writer.clone(), store.reads.clone(), events)
        .with_access_rules(rules)
        .with_admin_sql(AdminSql::new(config.admin_sql, config.admin_sql_writes));
    prepare(&engine).await;
    let (trigger, shutdown) = shutdown::pair();
    let sweep = task::spawn("repair-sweep", {
        let engine = engine.clone();
        let interval = config.sweep_interval;
        async move { engine.sweep_every(interval).await }
    });
    let bounds = Bounds {
        bulk_body_bytes: config.bulk_body_bytes,
        shown_body_bytes: config.shown_body_bytes,
        answers: Answers::new(config.answer_bytes),
    };
    let router = router::router(engine, telemetry, shutdown.clone(), &bounds, auth.clone());
    let how = http::Serving {
        router,
        tls: tls.clone(),
        write: config.write_timeout,
        shutdown,
    };
    let serve = http::serve(listener, how);
    let http = task::spawn("http-listener", serve);
    Ok(RunningServer {
        address,
        store,
        trigger,
        http,
        sweep,
        reload: Reload { auth, tls },
    })
}

/// Brings rows to what the configuration and the start of a process mean for them. A
/// database that cannot be written now is served nevertheless.
async fn prepare(engine: &Engine) {
    if let Err(error) = engine.set_admins().await {
        tracing::warn!("the group of the administrators stays as it was: {error}");
    }
    if let Err(error) = engine.interrupt_tasks().await {
        tracing::warn!("tasks of an earlier process were not marked as failed: {error}");
    }
}

async fn listen(host: &str, port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((host, port))
        .await
        .map_err(|cause| StartError::Listen {
            address: format!("{host}:{port}"),
            hint: match cause.kind() {
                std::io::ErrorKind::AddrInUse => {
                    "; choose another port with --port, or --port 0 for any free one"
                }
                std::io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges",
                _ => "; choose an address of this machine with --host",
            },
            cause,
        })
}

/// Prints a line for programs on standard output. That nobody reads it any more costs a
/// warning: the server works for others.
pub fn tell(line: fmt::Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        tracing::warn!("standard output did not take `{line}`: {error}");
    }
}

impl RunningServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads files again that may have changed.
    pub fn reload(&self) -> &Reload {
        &self.reload
    }

    /// Where its database lies.
    pub fn database(&self) -> &Path {
        self.store.path()
    }

    /// Whether its database ends with the process.
    pub fn in_memory(&self) -> bool {
        self.store.in_memory()
    }

    /// Copies the database to `target` whenever the answered handle is notified, and
    /// says so on standard output, where programs wait for that line. `keep` copies
    /// remain, the older ones as `target.1` and so on.
    pub fn snapshots_to(&self, target: PathBuf, keep: usize) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        let database = self.database().to_owned();
        task::spawn("database-snapshots", {
            let wake = Arc::clone(&wake);
            async move {
                loop {
                    wake.notified().await;
                    let (from, to) = (database.clone(), target.clone());
                    let copy = move || {
                        snapshot::write(&from, &to, keep)
                            .map(|()| tell(format_args!("TORC_SNAPSHOT_DONE={}", to.display())))
                    };
                    match task::spawn_blocking("database-snapshot", copy).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::error!("no snapshot was taken: {error}"),
                        Err(error) => tracing::error!("no snapshot was taken: {error}"),
                    }
                }
            }
        });
        wake
    }

    /// Stops accepting, lets open requests and queued writes finish, closes the database.
    pub async fn stop(self) {
        self.trigger.begin();
        self.sweep.abort();
        if let Err(error) = self.http.await {
            tracing::error!("the listener ended badly: {error}");
        }
        self.store.close().await;
    }
}
