//! Every entity reads its table, in a new file and in one that Torc wrote.

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ActiveModelTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr,
    EntityTrait, Set,
};

async fn open(dir: &tempfile::TempDir) -> Result<DatabaseConnection, DbErr> {
    let url = format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display());
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await
}

macro_rules! read_all {
    ($db:expr, $($table:ident),* $(,)?) => {
        $(entity::$table::Entity::find().all($db).await.map(drop)?;)*
    };
}

async fn read_all(db: &DatabaseConnection) -> Result<(), DbErr> {
    read_all!(
        db,
        access_group,
        admin_audit_log,
        async_handle,
        compute_node,
        event,
        failure_handler,
        file,
        job,
        job_depends_on,
        job_input_file,
        job_input_user_data,
        job_output_file,
        job_output_user_data,
        local_scheduler,
        remote_worker,
        resource_requirements,
        result,
        ro_crate_entity,
        scheduled_compute_node,
        slurm_scheduler,
        slurm_stats,
        user_data,
        user_group_membership,
        workflow,
        workflow_access_group,
        workflow_action,
        workflow_result,
    );
    Ok(())
}

#[tokio::test]
async fn entities_fit_a_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    read_all(&db).await.unwrap();

    let workflow = entity::workflow::ActiveModel {
        name: Set("a".to_owned()),
        user: Set("me".to_owned()),
        timestamp: Set(String::new()),
        ..Default::default()
    };
    let workflow = workflow.insert(&db).await.unwrap();
    assert_eq!((workflow.run_id, workflow.has_failures), (1, false));
    let job = entity::job::ActiveModel {
        workflow_id: Set(workflow.id),
        name: Set("j".to_owned()),
        command: Set("true".to_owned()),
        supports_termination: Set(true),
        status: Set(2),
        ..Default::default()
    };
    let job = job.insert(&db).await.unwrap();
    assert_eq!(
        (job.cancel_on_blocking_job_failure, job.supports_termination),
        (true, true)
    );
    for text in ["5", "1.50", "\"5\"", "{\"a\": 1}"] {
        let data = entity::user_data::ActiveModel {
            workflow_id: Set(workflow.id),
            name: Set("d".to_owned()),
            is_ephemeral: Set(false),
            data: Set(Some(text.to_owned())),
            ..Default::default()
        };
        let data = data.insert(&db).await.unwrap();
        assert_eq!(data.data.as_deref(), Some(text));
    }
    read_all(&db).await.unwrap();
}

#[tokio::test]
async fn entities_fit_a_file_of_torc() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir).await.unwrap();
    db.execute_unprepared(include_str!("../../migration/tests/torc_file.sql"))
        .await
        .unwrap();
    Migrator::up(&db, None).await.unwrap();
    read_all(&db).await.unwrap();

    let jobs = entity::job::Entity::find().all(&db).await.unwrap();
    let flags: Vec<_> = jobs
        .iter()
        .map(|job| (job.cancel_on_blocking_job_failure, job.supports_termination))
        .collect();
    assert_eq!(
        flags,
        [(true, false), (true, true), (true, false), (true, false)]
    );
    let data = entity::user_data::Entity::find().all(&db).await.unwrap();
    let texts: Vec<_> = data.iter().map(|row| row.data.as_deref()).collect();
    assert_eq!(texts, [Some("42"), Some("{\"a\": 1}")]);
}
