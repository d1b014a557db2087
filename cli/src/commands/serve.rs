//! `serve`: the App, by its settings.

use std::sync::Arc;

use anyhow::Context;
use flowctl_app::clock::SystemClock;
use flowctl_app::server::{Role, Server};
use flowctl_app::settings::Settings;
use flowctl_app::steps::Performers;
use flowctl_app::telemetry;
use tokio_util::sync::CancellationToken;

use crate::arguments::{RoleArgument, ServeArguments};
use crate::exit::Exit;

/// Serves until it is told to end.
pub fn run(arguments: &ServeArguments) -> anyhow::Result<Exit> {
    let load = || Settings::load(arguments.config.as_deref(), std::env::vars());
    let (settings, warnings) = load()?;
    telemetry::start(&settings)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        tokio::spawn(end_on_signal(shutdown.clone()));
        let mut settings = settings;
        // Once an App was set up on its pages the server starts anew with it.
        while serve(role(arguments.role), settings, shutdown.child_token()).await? && !shutdown.is_cancelled() {
            settings = load()?.0;
        }
        Ok(Exit::Done)
    })
}

/// Serves until it is told to end; whether that was because there is an App now.
async fn serve(role: Role, settings: Settings, shutdown: CancellationToken) -> anyhow::Result<bool> {
    let performers = Performers::from_settings(&settings, false, Arc::new(SystemClock))?;
    let server = Server::bind_as(role, settings, performers).await.context("the server cannot start")?;
    let set_up = server.set_up();
    server.run(shutdown).await?;
    Ok(set_up.is_cancelled())
}

fn role(argument: RoleArgument) -> Role {
    match argument {
        RoleArgument::All => Role::All,
        RoleArgument::Web => Role::Web,
        RoleArgument::Worker => Role::Worker,
    }
}

/// Ctrl-C, or the signal that systemd and Kubernetes send.
async fn end_on_signal(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupted.await;
        }
    }
    tracing::info!("ending: what is under way is finished first");
    shutdown.cancel();
}
