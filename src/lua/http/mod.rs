//! HTTP for scripts: what they may reach, and requests that end when nobody waits for them any more.
//!
//! Requests run on the host's one runtime, as a client that several runtimes share hangs; a script gets what comes by a channel
//! that holds little, so that a body counts towards its script's memory while it grows. Each place (host and port) has a client
//! of its own in each version: its resolver knows what it may hand out, and a connection is never another script's.

mod addresses;
mod fetch;
mod grants;
mod resolver;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use url::Url;

pub(super) use fetch::{Body, Failure, Fetched, Head, Part, Request, Running};
use grants::Place;
pub use grants::check_grants;
pub(super) use grants::{WebGrants, missing_grant};
use resolver::{Checked, Lookup};

use crate::net::Clock;
use crate::net::dial::{Trust, tls_config};

/// Until a server has been reached.
const CONNECT: Duration = Duration::from_secs(10);
/// Connections that wait for a next request: for so long, and as many for each place.
const IDLE: Duration = Duration::from_secs(30);
const MAX_IDLE: usize = 4;
/// Header fields of an answer; their bytes are bounded, too, by some 400 KiB.
const MAX_FIELDS: usize = 100;
/// Places whose connections a version keeps.
const MAX_PLACES: usize = 16;

/// How all scripts reach the web. Clones share it.
#[derive(Clone)]
pub struct Http {
    /// None where there is no runtime to run on.
    runtime: Option<Handle>,
    lookup: Lookup,
    trust: Trust,
}

impl Http {
    /// Requests run on the tokio runtime that this is called on; without one there are none.
    pub fn here() -> Http {
        Http { runtime: Handle::try_current().ok(), lookup: Lookup::System, trust: Trust::Public }
    }
}

/// The web as one version of a script sees it. Clones share it.
#[derive(Clone)]
pub(super) struct Web(Arc<Inner>);

struct Inner {
    http: Http,
    grants: Arc<WebGrants>,
    clock: Clock,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    by_place: HashMap<Place, (reqwest::Client, u64)>,
    uses: u64,
}

impl Web {
    pub fn new(http: Http, grants: WebGrants, clock: Clock) -> Web {
        Web(Arc::new(Inner { http, grants: Arc::new(grants), clock, clients: Mutex::default() }))
    }

    pub fn runtime(&self) -> Option<&Handle> {
        self.0.http.runtime.as_ref()
    }

    fn grants(&self) -> &Arc<WebGrants> {
        &self.0.grants
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The client for a place that the script may reach.
    fn client(&self, url: &Url) -> Result<reqwest::Client, Failure> {
        let place = self.grants().check(url)?;
        // What is guarded stays whole whatever happened to another thread.
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.uses += 1;
        let uses = clients.uses;
        if let Some((client, last_use)) = clients.by_place.get_mut(&place) {
            *last_use = uses;
            return Ok(client.clone());
        }
        let client = self.build(&place)?;
        if clients.by_place.len() >= MAX_PLACES {
            let oldest = clients.by_place.iter().min_by_key(|(_, (_, last_use))| *last_use);
            if let Some(oldest) = oldest.map(|(place, _)| place.clone()) {
                clients.by_place.remove(&oldest);
            }
        }
        clients.by_place.insert(place, (client.clone(), uses));
        Ok(client)
    }

    fn build(&self, place: &Place) -> Result<reqwest::Client, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::new("HTTP_FAILED", format!("no HTTP here: {error}"));
        let tls = tls_config(&self.0.http.trust).map_err(|error| broken(&error))?;
        let resolver = Checked::new(place.clone(), self.grants().clone(), self.0.http.lookup.clone());
        reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .user_agent(concat!("moongram/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(resolver))
            .no_proxy()
            // Each step of a redirect is checked before it is taken: fetch.rs.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .http1_max_headers(MAX_FIELDS)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build()
            .map_err(|error| broken(&error))
    }
}
