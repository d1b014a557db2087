-- How often a delivery was claimed since an end of its handling was recorded: what brings servers down must not do so for ever.
alter table deliveries add column unended bigint not null default 0;
-- They are counted: somebody has to look at them.
create index deliveries_failed on deliveries (position) where status = 'failed';
