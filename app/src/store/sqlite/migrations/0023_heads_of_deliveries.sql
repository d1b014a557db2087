-- Whether a delivery may be the oldest of its ordering key that waits: only such a one is looked at when deliveries are
-- claimed, however many wait behind it.
alter table deliveries add column head integer not null default 1;
update deliveries set head = 0
  where status = 'pending' and exists (
    select 1 from deliveries older
    where older.status = 'pending' and older.ordering_key = deliveries.ordering_key
      and older.position < deliveries.position);
create index deliveries_heads on deliveries (position) where status = 'pending' and head = 1;
drop index deliveries_pending_by_age;
