-- What is large in events and snapshots (inputs, outputs, results, payloads) is kept as a file by its digest; this says
-- where it belongs: JSON pointers and digests. What was stored before stays as it is.
alter table events add column large text;
alter table snapshots add column large text;
