//! The peers of a session.

use rusqlite::{Connection, OptionalExtension, Row, params};

/// What is kept of a user, group or channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRow {
    /// As the Bot API has it: a user's is positive, a basic group's negative, a channel's `-100…`.
    pub id: i64,
    /// `None` where it is not known (a min constructor), or where there is none (a basic group).
    pub access_hash: Option<i64>,
    /// The main one, without `@`.
    pub username: Option<String>,
    /// Digits only.
    pub phone: Option<String>,
    /// First and last name, or the title.
    pub name: String,
    /// What it looked like when it was last written here: its boxed `User` or `Chat`.
    pub raw: Option<Vec<u8>>,
    /// A min constructor's row: what it leaves out is not gone.
    pub partial: bool,
}

impl PeerRow {
    /// Takes over from an older row what this one leaves out.
    pub fn keep(&mut self, older: PeerRow) {
        self.access_hash = self.access_hash.or(older.access_hash);
        if self.partial {
            self.username = self.username.take().or(older.username);
            self.phone = self.phone.take().or(older.phone);
            self.raw = self.raw.take().or(older.raw);
            self.partial = older.partial;
        }
    }
}

const COLUMNS: &str = "SELECT id, access_hash, username, phone, name, raw FROM peer";

pub(super) fn by_id(db: &Connection, id: i64) -> rusqlite::Result<Option<PeerRow>> {
    db.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?.query_row([id], row).optional()
}

pub(super) fn by_username(db: &Connection, username: &str) -> rusqlite::Result<Option<PeerRow>> {
    db.prepare_cached(&format!("{COLUMNS} WHERE username = ?1"))?.query_row([username], row).optional()
}

pub(super) fn by_phone(db: &Connection, phone: &str) -> rusqlite::Result<Option<PeerRow>> {
    db.prepare_cached(&format!("{COLUMNS} WHERE phone = ?1"))?.query_row([phone], row).optional()
}

pub(super) fn put(db: &Connection, row: &PeerRow) -> rusqlite::Result<()> {
    // A username belongs to one peer at a time: whoever had it before has it no longer.
    if let Some(username) = &row.username {
        db.prepare_cached("UPDATE peer SET username = NULL WHERE username = ?1 AND id <> ?2")?
            .execute(params![username, row.id])?;
    }
    let sql = "INSERT INTO peer (id, access_hash, username, phone, name, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE SET access_hash = coalesce(excluded.access_hash, access_hash),
             username = CASE WHEN ?7 THEN coalesce(excluded.username, username) ELSE excluded.username END,
             phone = CASE WHEN ?7 THEN coalesce(excluded.phone, phone) ELSE excluded.phone END,
             name = excluded.name, raw = coalesce(excluded.raw, raw)";
    db.prepare_cached(sql)?.execute(params![
        row.id,
        row.access_hash,
        row.username,
        row.phone,
        row.name,
        row.raw,
        row.partial
    ])?;
    Ok(())
}

fn row(row: &Row<'_>) -> rusqlite::Result<PeerRow> {
    Ok(PeerRow {
        id: row.get(0)?,
        access_hash: row.get(1)?,
        username: row.get(2)?,
        phone: row.get(3)?,
        name: row.get(4)?,
        raw: row.get(5)?,
        partial: false,
    })
}
