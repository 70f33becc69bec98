//! Which rights chunkwise's roles have in a database, beside those that they are to have: docs/configuration.md has the table.

use sqlx::{PgConnection, Row, postgres::PgRow};

/// What is wrong with a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// The role is to have it, and has it not.
    Missing,
    /// The role has it, and is not to.
    Surplus,
}

/// A right that a role is to have and has not, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// The role; `PUBLIC` is everybody.
    pub role: String,
    /// Such as `SELECT`; of a column `UPDATE ("price")`.
    pub privilege: String,
    /// What the statement calls the kind of object: `TABLE`, `SCHEMA`; `DEFAULT` is what will be made by `object`, a role.
    pub kind: String,
    /// Quoted.
    pub object: String,
    /// Too little or too much.
    pub deviation: Deviation,
    /// Whether the connected role may give and take it.
    pub(super) is_ours: bool,
}

impl Right {
    /// The statement that puts it right.
    #[must_use]
    pub fn remedy(&self) -> String {
        let Self { role, privilege, kind, object, .. } = self;
        let (verb, direction) = match self.deviation {
            Deviation::Missing => ("GRANT", "TO"),
            Deviation::Surplus => ("REVOKE", "FROM"),
        };
        match kind.strip_prefix("DEFAULT ") {
            Some(objects) => {
                format!("ALTER DEFAULT PRIVILEGES FOR ROLE {object} {verb} {privilege} ON {objects} {direction} {role}")
            }
            None => format!("{verb} {privilege} ON {kind} {object} {direction} {role}"),
        }
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let has = match self.deviation {
            Deviation::Missing => "lacks",
            Deviation::Surplus => "has",
        };
        let (role, privilege, object) = (&self.role, &self.privilege, &self.object);
        match self.kind.strip_prefix("DEFAULT ") {
            Some(objects) => write!(out, "{role} {has} {privilege} on {} that {object} makes", objects.to_lowercase()),
            None => write!(out, "{role} {has} {privilege} on {} {object}", self.kind.to_lowercase()),
        }
    }
}

/// Rights that deviate, in the order in which they are to be put right. Rights are looked for on what is chunkwise's: its own
/// schema, the storage schemas, and its views; not on what is somebody else's in `public`.
const DEVIATIONS: &str = r"
WITH roles AS (
    SELECT oid, rolname::text AS role FROM pg_roles
    WHERE rolname IN ('chunkwise_owner', 'chunkwise_writer', 'chunkwise_reader')
), schemas AS (
    SELECT n.oid, n.nspname, n.nspacl, n.nspowner, s.kind
    FROM pg_namespace n JOIN (
        SELECT 'chunkwise' AS name, 'own' AS kind
        UNION ALL SELECT name || '_store', 'store' FROM chunkwise.namespace
        UNION ALL SELECT name, 'views' FROM chunkwise.namespace
    ) s ON s.name = n.nspname
), named AS (
    SELECT namespace || '_store' AS schema, relation AS name, 'storage' AS part FROM chunkwise.measurement
    UNION ALL SELECT namespace || '_store', relation || '__series', 'series' FROM chunkwise.measurement
    UNION ALL SELECT namespace, relation || ending, 'view' FROM chunkwise.measurement,
        unnest(ARRAY['', '_latest', '_bars_1m', '_bars_5m', '_bars_1h', '_bars_1d']) AS ending
), relations AS (
    SELECT c.oid, c.relacl, c.relowner, s.kind, named.part, c.relname::text AS name,
           CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS type,
           format('%I.%I', s.nspname, c.relname) AS object
    FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
    LEFT JOIN named ON named.schema = s.nspname AND named.name = c.relname
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND (s.kind <> 'views' OR (named.part = 'view' AND c.relkind = 'v'))
), functions AS (
    SELECT p.oid, p.proacl, p.proowner, p.oid::regprocedure::text AS object,
           p.proname = 'set_aside' OR (p.proname = 'open_write' AND p.pronargs = max(p.pronargs) OVER (PARTITION BY p.proname))
               AS is_called,
           p.proname IN ('set_aside', 'open_write') AS is_guarded
    FROM pg_proc p WHERE p.pronamespace = 'chunkwise'::regnamespace
), owners AS (
    SELECT nspowner AS oid FROM schemas WHERE kind <> 'views'
    -- Whoever may do what they may makes tables for them.
    UNION SELECT r.oid FROM pg_roles r
    WHERE rolname = current_user AND EXISTS (SELECT FROM schemas WHERE kind = 'own' AND pg_has_role(nspowner, 'USAGE'))
), wanted (role, privilege, kind, oid) AS (
    SELECT 'chunkwise_owner', privilege, 'DATABASE', d.oid
    FROM pg_database d, unnest(ARRAY['CREATE', 'CONNECT']) AS privilege WHERE datname = current_database()
    UNION ALL SELECT 'chunkwise_owner', privilege, 'SCHEMA', oid
    FROM schemas, unnest(ARRAY['USAGE', 'CREATE']) AS privilege WHERE nspname = 'public'
    UNION ALL SELECT role, 'CONNECT', 'DATABASE', d.oid
    FROM pg_database d, unnest(ARRAY['chunkwise_writer', 'chunkwise_reader']) AS role WHERE datname = current_database()
    UNION ALL SELECT 'chunkwise_writer', 'USAGE', 'SCHEMA', oid FROM schemas WHERE kind <> 'views'
    UNION ALL SELECT 'chunkwise_reader', 'USAGE', 'SCHEMA', oid FROM schemas
    UNION ALL SELECT 'chunkwise_reader', 'SELECT', type, oid FROM relations WHERE type = 'TABLE'
    UNION ALL SELECT 'chunkwise_writer', 'SELECT', type, oid FROM relations
    WHERE part = 'series' OR (kind = 'own' AND name IN ('ledger', 'measurement', 'retired_series'))
    UNION ALL SELECT 'chunkwise_writer', 'INSERT', type, oid FROM relations WHERE part IN ('storage', 'series')
    UNION ALL SELECT 'chunkwise_writer', 'USAGE', type, oid FROM relations WHERE kind = 'own' AND name = 'series_id'
    UNION ALL SELECT 'chunkwise_writer', 'EXECUTE', 'FUNCTION', oid FROM functions WHERE is_called
    UNION ALL SELECT 'chunkwise_reader', 'USAGE', 'DEFAULT SCHEMAS', oid FROM owners
    UNION ALL SELECT 'chunkwise_reader', 'SELECT', 'DEFAULT TABLES', oid FROM owners
), objects AS (
    SELECT 'DATABASE' AS kind, oid, datdba AS owner, quote_ident(datname) AS object, datacl AS acl
    FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT 'SCHEMA', oid, nspowner, quote_ident(nspname), nspacl FROM schemas
    UNION ALL SELECT type, oid, relowner, object, relacl FROM relations
    UNION ALL SELECT 'FUNCTION', oid, proowner, object, proacl FROM functions
    UNION ALL SELECT kind, owners.oid, owners.oid, owners.oid::regrole::text, a.defaclacl
    FROM owners CROSS JOIN (VALUES ('DEFAULT SCHEMAS', 'n'), ('DEFAULT TABLES', 'r'), ('DEFAULT FUNCTIONS', 'f')) AS k (kind, type)
    LEFT JOIN pg_default_acl a ON a.defaclrole = owners.oid AND a.defaclnamespace = 0 AND a.defaclobjtype::text = k.type
    -- Of what is made in one schema of chunkwise's there is nothing to be said.
    UNION ALL SELECT CASE defaclobjtype WHEN 'r' THEN 'DEFAULT TABLES' WHEN 'S' THEN 'DEFAULT SEQUENCES' ELSE 'DEFAULT FUNCTIONS' END,
        NULL, defaclrole, format('%s IN SCHEMA %I', defaclrole::regrole, nspname), defaclacl
    FROM pg_default_acl JOIN schemas ON schemas.oid = defaclnamespace
    WHERE defaclobjtype IN ('r', 'S', 'f') AND kind <> 'views'
), given AS (
    SELECT o.kind, o.oid, o.object, o.owner, e.grantee, e.privilege_type AS privilege, e.privilege_type AS plain
    FROM objects o, aclexplode(o.acl) AS e
    UNION ALL
    SELECT o.kind, o.oid, o.object, o.owner, e.grantee, format('%s (%I)', e.privilege_type, a.attname), e.privilege_type
    FROM objects o JOIN pg_attribute a ON a.attrelid = o.oid, aclexplode(a.attacl) AS e WHERE o.kind = 'TABLE'
)
SELECT w.role, w.privilege, w.kind, o.object, true AS missing, pg_has_role(o.owner, 'USAGE') AS is_ours
FROM wanted w JOIN roles r ON r.role = w.role JOIN objects o ON o.kind = w.kind AND o.oid = w.oid
WHERE NOT CASE w.kind
    WHEN 'DATABASE' THEN has_database_privilege(r.oid, w.oid, w.privilege)
    WHEN 'SCHEMA' THEN has_schema_privilege(r.oid, w.oid, w.privilege)
    WHEN 'TABLE' THEN has_table_privilege(r.oid, w.oid, w.privilege)
    WHEN 'SEQUENCE' THEN has_sequence_privilege(r.oid, w.oid, w.privilege)
    WHEN 'FUNCTION' THEN has_function_privilege(r.oid, w.oid, w.privilege)
    ELSE EXISTS (SELECT FROM given g WHERE (g.kind, g.oid, g.grantee, g.privilege) = (w.kind, w.oid, r.oid, w.privilege))
END
UNION ALL
SELECT coalesce(r.role, 'PUBLIC'), g.privilege, g.kind, g.object, false, pg_has_role(g.owner, 'USAGE')
FROM given g LEFT JOIN roles r ON r.oid = g.grantee
WHERE g.grantee <> g.owner
    AND NOT EXISTS (SELECT FROM wanted w WHERE (w.role, w.privilege, w.kind, w.oid) = (r.role, g.plain, g.kind, g.oid))
    AND CASE WHEN r.role IS NOT NULL THEN g.kind <> 'DATABASE'
             -- Of what everybody may, only what opens chunkwise's own tables.
             WHEN g.grantee = 0 THEN g.kind IN ('TABLE', 'SEQUENCE')
                 OR (g.kind = 'FUNCTION' AND g.oid IN (SELECT oid FROM functions WHERE is_guarded))
        END
ORDER BY missing, 1, 3, 4, 2";

/// The rights that deviate from the table, where the schema is chunkwise's; roles that are not there have none.
///
/// # Errors
/// The database's.
pub async fn deviations(connection: &mut PgConnection) -> Result<Vec<Right>, sqlx::Error> {
    let rows = sqlx::query(DEVIATIONS).fetch_all(connection).await?;
    rows.iter().map(right).collect()
}

fn right(row: &PgRow) -> Result<Right, sqlx::Error> {
    Ok(Right {
        role: row.try_get("role")?,
        privilege: row.try_get("privilege")?,
        kind: row.try_get("kind")?,
        object: row.try_get("object")?,
        deviation: if row.try_get("missing")? { Deviation::Missing } else { Deviation::Surplus },
        is_ours: row.try_get("is_ours")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_is_told_with_the_statement_that_ends_it() {
        let mut right = Right {
            role: "chunkwise_writer".into(),
            privilege: "INSERT".into(),
            kind: "TABLE".into(),
            object: "public_store.ticks".into(),
            deviation: Deviation::Missing,
            is_ours: true,
        };
        assert_eq!(right.to_string(), "chunkwise_writer lacks INSERT on table public_store.ticks");
        assert_eq!(right.remedy(), "GRANT INSERT ON TABLE public_store.ticks TO chunkwise_writer");
        right.deviation = Deviation::Surplus;
        assert_eq!(right.to_string(), "chunkwise_writer has INSERT on table public_store.ticks");
        assert_eq!(right.remedy(), "REVOKE INSERT ON TABLE public_store.ticks FROM chunkwise_writer");
        (right.kind, right.object) = ("DEFAULT TABLES".into(), "cw".into());
        assert_eq!(right.to_string(), "chunkwise_writer has INSERT on tables that cw makes");
        assert_eq!(
            right.remedy(),
            "ALTER DEFAULT PRIVILEGES FOR ROLE cw REVOKE INSERT ON TABLES FROM chunkwise_writer"
        );
    }
}
