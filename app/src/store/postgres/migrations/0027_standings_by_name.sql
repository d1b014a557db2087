-- What stands is looked for by how its name begins, of every tenant: in the order of bytes, whatever the database sorts by.
create index standings_by_name on standings (name collate "C", tenant);
