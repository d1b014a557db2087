-- Writes of one account go one after the other, whichever of its installations they were queued for: an account that installs
-- the App anew has another one, and what was queued before is written with it too.
drop index effects_pending;
drop index effects_leased;
create index effects_pending on effects (tenant, priority, not_before, id) where status = 'pending';
create index effects_leased on effects (tenant, lease_until) where lease_until is not null;
