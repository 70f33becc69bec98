//! What analysts see of the database: views and documented queries, as the server plans them.

mod plans;
