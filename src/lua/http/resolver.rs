//! The resolver of one place's client: what it hands out was checked, and is what is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::grants::{Place, WebGrants};

#[cfg(test)]
type Known = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// Who knows the addresses of a name.
#[derive(Clone)]
pub(super) enum Lookup {
    System,
    #[cfg(test)]
    Test(Arc<Known>),
}

impl Lookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self {
            Lookup::System => {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            }
            #[cfg(test)]
            Lookup::Test(answer) => Ok(answer(name)),
        }
    }
}

/// Resolves names for one place, whose grants it knows.
pub(super) struct Checked {
    place: Place,
    grants: Arc<WebGrants>,
    lookup: Lookup,
}

impl Checked {
    pub fn new(place: Place, grants: Arc<WebGrants>, lookup: Lookup) -> Checked {
        Checked { place, grants, lookup }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (place, grants, lookup) = (self.place.clone(), self.grants.clone(), self.lookup.clone());
        Box::pin(async move {
            let addresses = lookup.addresses(name.as_str()).await?;
            if addresses.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            // All or nothing: a name that leads here and there is up to something.
            grants.check_addresses(&place, &addresses)?;
            // The connector puts the port in.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
