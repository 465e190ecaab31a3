"""The casebook's tables (`raw_*`, ours) and views (the public interface, docs/casebook.md).

One text for SQLite and PostgreSQL; words in braces are what a `Dialect` has for them. Times in
tables are microseconds UTC, in views what the database has for a moment.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 5
"""Of the tables. Another version is read anew from the topics: nothing here exists only here."""

TABLES: Final = """
create table raw_about (key text primary key, value text not null);
create table raw_offsets (
  topic text, "partition" {int}, next {int} not null, applied_at {int} not null,
  primary key (topic, "partition")
);
create table raw_cases (
  case_id text primary key, jurisdiction text not null, record text not null,
  version {int} not null, digest text not null, status text not null,
  first {int} not null, last {int} not null,
  agencies text not null, agency_count {int} not null, record_count {int} not null,
  event_count {int} not null, link_count {int} not null, flags text not null,
  body {blob} not null
);
create table raw_vias (case_id text, via text, events {int} not null, primary key (case_id, via));
create table raw_places (place text, case_id text, primary key (place, case_id));
create index raw_places_of_case on raw_places (case_id);
create table raw_records (
  key text primary key, jurisdiction text not null, record text not null, number text not null,
  case_id text not null
);
create index raw_records_by_record on raw_records (record);
create index raw_records_by_number on raw_records (number);
create index raw_records_by_case on raw_records (case_id);
create table raw_links (
  case_id text, position {int}, rule text not null, source text not null, target text not null,
  event_from text not null, event_to text not null, seconds {int} not null, why text not null,
  primary key (case_id, position)
);
create table raw_people (
  case_id text, position {int}, kind text not null, event_id text not null, agency text not null,
  record text not null, other text not null, why text not null, at {int} not null,
  primary key (case_id, position)
);
create table raw_measures (
  case_id text primary key, whole {int} not null, first_report {int}, last_close {int},
  ping_pong {int} not null, enriched {int} not null, place_only {int} not null
);
create table raw_outcomes (
  case_id text, record text, agency text not null, register text not null, status text not null,
  reported {int}, ended {int}, due {int}, reopened {int}, primary key (case_id, record)
);
create index raw_outcomes_by_register on raw_outcomes (register, status);
create index raw_outcomes_by_agency on raw_outcomes (agency);
create table raw_handoffs (
  case_id text, event_id text, record text not null, from_agency text not null,
  to_agency text not null, at {int} not null, picked_up {int}, primary key (case_id, event_id)
);
create table raw_enrichments (
  case_id text, by_agency text, for_agency text not null, at {int} not null,
  primary key (case_id, by_agency)
);
create index raw_enrichments_by on raw_enrichments (by_agency);
create index raw_enrichments_for on raw_enrichments (for_agency);
create table raw_versions (
  event_id text, content text, known_at {int}, via text,
  jurisdiction text not null, record text not null, agency text not null, type text not null,
  step text not null, occurred_at {int} not null, due_at {int}, place text not null,
  area text not null, concern text not null, to_agency text not null, channel text not null,
  refs text not null, headline text not null, flags text not null,
  prefix {blob} not null, payload {blob} not null, body text,
  primary key (event_id, content, known_at, via)
);
create index raw_versions_by_record on raw_versions (record, jurisdiction);
create index raw_versions_by_place on raw_versions (place, concern, occurred_at);
create table raw_refs (event_id text, ref text, primary key (ref, event_id));
create index raw_refs_of_event on raw_refs (event_id);
create table raw_events (
  event_id text, jurisdiction text, record text not null, type text not null,
  content text not null, first_known {int} not null, last_known {int} not null, via text not null,
  known_via text not null, versions {int} not null, contents {int} not null,
  counts {int} not null, primary key (event_id, jurisdiction)
);
create index raw_events_by_record on raw_events (record, jurisdiction);
create index raw_counts on raw_events (record) where type = 'source.counted';
create table raw_dead_letters (
  "partition" {int}, "offset" {int}, key text not null, reason text not null, detail text not null,
  topic text not null, source_partition {int} not null, source_offset {int} not null,
  produced_at {int} not null, primary key ("partition", "offset")
);
create index raw_dead_letters_by_key on raw_dead_letters (key)
"""

COUNTING: Final = """join raw_versions v on v.event_id = e.event_id and v.content = e.content
  and v.known_at = e.last_known and v.via = e.via"""
"""From an event e of `raw_events` to the version of it that counts."""

VIEWS: Final = {
    "cases": """
select c.case_id, c.jurisdiction, c.record as head_record, c.status, {at:c.first} as first_at,
  {at:c.last} as last_at, c.agency_count, c.agencies, c.record_count, c.event_count, c.link_count,
  case when c.flags = '[]' then 0 else 1 end as runaway, c.version, c.digest
from raw_cases c""",
    "records": """
select r.record, r.jurisdiction, {agency:r.record} as agency, r.number,
  nullif(r.case_id, '') as case_id
from raw_records r""",
    "events": """
select v.event_id, v.jurisdiction, v.record, v.agency, v.type, v.step,
  {at:v.occurred_at} as occurred_at, {at:v.due_at} as due_at, nullif(v.place, '') as place,
  nullif(v.area, '') as area, nullif(v.concern, '') as concern,
  nullif(v.to_agency, '') as to_agency, nullif(v.channel, '') as channel, v.headline, v.flags,
  {at:e.first_known} as known_at, e.known_via as via,
  (e.first_known - v.occurred_at) / 1000000 as known_after_seconds,
  e.versions, case when e.contents > 1 then 1 else 0 end as corrected,
  nullif(r.case_id, '') as case_id
from raw_events e
{counting}
left join raw_records r on r.record = v.record and r.jurisdiction = v.jurisdiction
where e.counts = 1 and v.type not like 'link.%' and v.type not like 'record.%'
  and v.type not like 'source.%'""",
    "versions": """
select v.event_id, v.content, {at:v.known_at} as known_at, v.via, v.jurisdiction, v.record,
  v.agency, v.type, v.step, {at:v.occurred_at} as occurred_at, {at:v.due_at} as due_at,
  nullif(v.place, '') as place, nullif(v.area, '') as area, nullif(v.concern, '') as concern,
  nullif(v.to_agency, '') as to_agency, nullif(v.channel, '') as channel, v.refs, v.headline,
  v.flags
from raw_versions v""",
    "payloads": """
select v.event_id, v.content, {at:v.known_at} as known_at, v.via, v.agency, v.type, v.record,
  v.body as payload
from raw_versions v""",
    "event_refs": """
select e.record, f.ref, e.event_id, e.jurisdiction
from raw_refs f join raw_events e on e.event_id = f.event_id
{counting}
where e.counts = 1 and replace(v.refs,
  '"' || replace(replace(f.ref, '\\', '\\\\'), '"', '\\"') || '"', '') <> v.refs""",
    "links": """
select l.case_id, l.rule, l.source as from_record, l.target as to_record,
  {agency:l.source} as from_agency, {agency:l.target} as to_agency, l.event_from,
  nullif(l.event_to, '') as event_to, l.seconds, nullif(l.why, '') as why
from raw_links l""",
    "measures": """
select m.case_id, {at:m.first_report} as first_report_at, {at:m.last_close} as last_close_at,
  (m.last_close - m.first_report) / 1000000 as seconds, m.ping_pong, m.enriched,
  m.place_only, 1 - m.whole as too_large
from raw_measures m""",
    "outcomes": """
select o.case_id, o.record, o.agency, o.status, {at:o.reported} as reported_at,
  {at:o.ended} as ended_at, {at:o.due} as due_at, {at:o.reopened} as reopened_at,
  (o.ended - o.due) / 1000000 as ended_after_due_seconds
from raw_outcomes o""",
    "handoffs": """
select h.case_id, h.record, h.from_agency, nullif(h.to_agency, '') as to_agency,
  {at:h.at} as handed_off_at, {at:h.picked_up} as picked_up_at,
  (h.picked_up - h.at) / 1000000 as seconds, h.event_id
from raw_handoffs h""",
    "enrichments": """
select n.case_id, n.for_agency, n.by_agency, {at:n.at} as first_added_at
from raw_enrichments n""",
    "people": """
select p.case_id, p.kind, p.agency, p.record, nullif(p.other, '') as other, p.why,
  {at:p.at} as said_at, p.event_id
from raw_people p
union all
select l.case_id, 'asserted', v.agency, l.source, l.target, l.why, {at:v.occurred_at}, v.event_id
from raw_links l
join raw_events e on e.event_id = l.event_from
{counting}
where l.rule = 'asserted'""",
    "erasures": """
select v.type as kind, v.agency, v.headline as why, {at:v.occurred_at} as ordered_at,
  {after_dot:v.record} as record_hash
from raw_events e
{counting}
where e.counts = 1 and v.type like 'record.%'""",
    "dead_letters": """
select d.reason, d.detail, d.topic, d.source_partition, d.source_offset,
  {at:d.produced_at} as produced_at, d."partition", d."offset"
from raw_dead_letters d""",
    "lag": """
select o.topic, o."partition", o.next as next_offset, {at:o.applied_at} as applied_at
from raw_offsets o""",
}
"""Name to its select; `{counting}`: with the version of event e that counts; `{at:x}`: a moment, `{agency:x}`: a record's agency."""

SAYS: Final = {
    "cases": "a row a case, with how many agencies, records and events it has",
    "records": "a row a record ever seen, and the case that it is in",
    "events": "a row an event that counts, with the case it is in, when it was known, whether corrected",
    "versions": "every saying of every event, also of those that don't count",
    "payloads": "the original message of every saying as JSON; may be sensitive",
    "event_refs": "which record names which other record",
    "links": "why two records are in one case",
    "measures": "a row a case: from first report to last close, handed back and forth, enriched",
    "outcomes": "a row a record of a case: open, resolved or closed, promised for when, reopened",
    "handoffs": "a row a hand-off: from whom to whom, when, and when it was picked up",
    "enrichments": "which agency added something to a case that another had reported, while it was open",
    "people": "what staff said: these are one, these are not, this stands apart",
    "erasures": "what was ordered to be forgotten or held, by keyed hash",
    "dead_letters": "messages that could not be accepted, and why",
    "lag": "how far the casebook has read, a row a topic and partition",
}
"""A sentence a view."""
