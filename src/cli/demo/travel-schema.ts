/** A family travel planner's tables: generated columns, checks, arrays, jsonb, partitions, foreign keys. */
export const travelTables = `
CREATE TABLE airports (
  id serial PRIMARY KEY,
  iata_code char(3) NOT NULL UNIQUE,
  name text NOT NULL,
  city text NOT NULL,
  distance_from_home integer,
  driving_time integer,
  preferred_for text[],
  parking_cost_per_day numeric(10,2),
  created_at timestamptz NOT NULL DEFAULT '2025-01-01',
  updated_at timestamptz NOT NULL DEFAULT '2025-01-01'
);
CREATE TABLE flights (
  id serial PRIMARY KEY,
  origin_airport_id integer NOT NULL REFERENCES airports ON DELETE CASCADE,
  destination_airport_id integer NOT NULL REFERENCES airports ON DELETE CASCADE,
  airline text NOT NULL,
  departure_date date NOT NULL,
  departure_time time,
  return_date date,
  return_time time,
  price_per_person numeric(10,2) NOT NULL CHECK (price_per_person >= 0),
  total_price numeric(10,2) GENERATED ALWAYS AS (price_per_person * 4) STORED,
  true_cost numeric(10,2),
  booking_class text,
  direct_flight boolean NOT NULL DEFAULT true,
  source text NOT NULL,
  booking_url text,
  scraped_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT '2025-01-01',
  updated_at timestamptz NOT NULL DEFAULT '2025-01-01'
);
CREATE TABLE accommodations (
  id serial PRIMARY KEY,
  destination_city text NOT NULL,
  name text NOT NULL,
  type text NOT NULL CHECK (type IN ('hotel', 'airbnb', 'apartment')),
  bedrooms integer,
  price_per_night numeric(10,2) NOT NULL,
  family_friendly boolean NOT NULL,
  has_kitchen boolean NOT NULL,
  has_kids_club boolean NOT NULL,
  rating numeric(3,1),
  review_count integer,
  source text NOT NULL,
  url text,
  image_url text,
  scraped_at timestamptz NOT NULL
);
CREATE TABLE events (
  id serial PRIMARY KEY,
  destination_city text NOT NULL,
  title text NOT NULL,
  event_date date NOT NULL,
  end_date date,
  category text NOT NULL,
  description text,
  price_range text,
  source text NOT NULL,
  url text,
  ai_relevance_score numeric(3,1),
  scraped_at timestamptz NOT NULL
);
CREATE TABLE trip_packages (
  id serial PRIMARY KEY,
  package_type text NOT NULL CHECK (package_type IN ('family', 'parent_escape')),
  flights_json jsonb NOT NULL,
  accommodation_id integer REFERENCES accommodations ON DELETE SET NULL,
  events_json jsonb,
  destination_city text NOT NULL,
  departure_date date NOT NULL,
  return_date date NOT NULL,
  num_nights integer GENERATED ALWAYS AS (return_date - departure_date) STORED,
  total_price numeric(10,2) NOT NULL,
  ai_score numeric(5,2),
  ai_reasoning text,
  itinerary_json jsonb,
  notified boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL
);
CREATE TABLE user_preferences (
  id serial PRIMARY KEY,
  user_id integer NOT NULL,
  max_flight_price_family numeric(10,2),
  max_total_budget_family numeric(10,2),
  preferred_destinations text[],
  avoid_destinations text[],
  interests text[],
  notification_threshold numeric(5,2)
);
CREATE TABLE school_holidays (
  id serial PRIMARY KEY, name text NOT NULL, start_date date NOT NULL, end_date date NOT NULL,
  year integer NOT NULL, holiday_type text NOT NULL, region text NOT NULL DEFAULT 'Bavaria'
);
CREATE TABLE price_history (
  id bigserial,
  route text NOT NULL,
  price numeric(10,2) NOT NULL,
  source text NOT NULL,
  scraped_at timestamptz NOT NULL
) PARTITION BY RANGE (scraped_at);
CREATE TABLE price_history_2025h1 PARTITION OF price_history FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
CREATE TABLE price_history_2025h2 PARTITION OF price_history FOR VALUES FROM ('2025-07-01') TO ('2026-01-01');
CREATE TABLE price_history_rest PARTITION OF price_history DEFAULT;
CREATE TABLE scraping_jobs (
  id serial PRIMARY KEY, job_type text NOT NULL, source text NOT NULL, status text NOT NULL,
  items_scraped integer, error_message text, started_at timestamptz NOT NULL, completed_at timestamptz
);
`

/** What is built once the rows are there. */
export const travelIndexesAndViews = `
CREATE INDEX ix_flights_origin_airport_id ON flights (origin_airport_id);
CREATE INDEX ix_flights_destination_airport_id ON flights (destination_airport_id);
CREATE INDEX ix_flights_departure_date ON flights (departure_date);
CREATE INDEX ix_flights_scraped_at ON flights (scraped_at);
CREATE INDEX ix_accommodations_destination_city ON accommodations (destination_city);
CREATE INDEX ix_events_event_date ON events (event_date);
CREATE INDEX ix_trip_packages_ai_score ON trip_packages (ai_score);
CREATE INDEX ix_trip_packages_itinerary ON trip_packages USING gin (itinerary_json);
CREATE INDEX ix_price_history_route ON price_history (route);
CREATE MATERIALIZED VIEW cheapest_routes AS SELECT route, min(price) AS best FROM price_history GROUP BY route;
CREATE VIEW top_deals AS SELECT id, destination_city, total_price, ai_score FROM trip_packages WHERE ai_score >= 70;
`
