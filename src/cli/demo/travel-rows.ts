/** Fills one table. */
export interface TableFilling {
  readonly table: string
  readonly sql: string
}

/**
 * What fills the travel planner's tables, in an order that matters: all draw from one sequence of random numbers, whose
 * seed the caller sets. Scale 1 makes 66,925 rows.
 */
export function travelRows(scale: number): readonly TableFilling[] {
  const count = (atScaleOne: number) => Math.ceil(atScaleOne * scale)
  const upTo = (atScaleOne: number) => `1 + floor(random()*${atScaleOne}*${scale})::int`
  return [
    { table: 'airports', sql: airports },
    { table: 'flights', sql: flights(count(20_000)) },
    { table: 'accommodations', sql: accommodations(count(1500)) },
    { table: 'events', sql: events(count(3000)) },
    { table: 'trip_packages', sql: tripPackages(count(2000), { flight: upTo(20_000), accommodation: upTo(1500) }) },
    { table: 'user_preferences', sql: userPreferences },
    { table: 'school_holidays', sql: schoolHolidays },
    { table: 'price_history', sql: priceHistory(count(40_000)) },
    { table: 'scraping_jobs', sql: scrapingJobs(count(400)) },
  ]
}

/** One of the texts, at random. */
function pick(...texts: readonly string[]): string {
  return `(ARRAY['${texts.join("','")}'])[1 + floor(random()*${texts.length})::int]`
}

const cities = ['Lisbon', 'Barcelona', 'Prague', 'Porto', 'Rome', 'Athens', 'Dublin', 'Kraków', 'Málaga']

/** `i` from 1, and `d`, a day in the months after January 2025. */
function numberedDays(count: number, more = ''): string {
  return `(SELECT i, date '2025-02-01' + floor(random()*400)::int AS d${more} FROM generate_series(1, ${count}) i) g`
}

const airports = `
  INSERT INTO airports (iata_code, name, city, distance_from_home, driving_time, preferred_for, parking_cost_per_day)
  SELECT code, city || ' Airport', city, dist, dist + 5, tags, cost
  FROM (VALUES
    ('MUC','Munich',20,ARRAY['direct_flights'],15.00), ('FMM','Memmingen',110,ARRAY['budget'],5.00),
    ('NUE','Nuremberg',170,ARRAY['budget','short'],10.00), ('SZG','Salzburg',150,NULL,12.00),
    ('LIS','Lisbon',NULL,NULL,NULL), ('BCN','Barcelona',NULL,NULL,NULL), ('PRG','Prague',NULL,NULL,NULL),
    ('OPO','Porto',NULL,NULL,NULL), ('FCO','Rome',NULL,NULL,NULL), ('ATH','Athens',NULL,NULL,NULL),
    ('DUB','Dublin',NULL,NULL,NULL), ('CPH','Copenhagen',NULL,NULL,NULL), ('KRK','Kraków',NULL,NULL,NULL),
    ('AGP','Málaga',NULL,NULL,NULL), ('NCE','Nice',NULL,NULL,NULL), ('SOF','София',NULL,NULL,NULL)
  ) AS v(code, city, dist, tags, cost)`

const flights = (count: number) => `
  INSERT INTO flights (origin_airport_id, destination_airport_id, airline, departure_date, departure_time, return_date,
                       return_time, price_per_person, true_cost, booking_class, direct_flight, source, booking_url,
                       scraped_at)
  SELECT 1 + floor(random()*4)::int, 5 + floor(random()*12)::int,
         ${pick('Ryanair', 'Wizz Air', 'Lufthansa', 'easyJet', 'Vueling', 'Iberia', 'TAP Air Portugal')},
         d, time '05:00' + (floor(random()*204)*5) * interval '1 minute',
         CASE WHEN random() < 0.9 THEN d + 3 + floor(random()*11)::int END,
         CASE WHEN random() < 0.9 THEN time '06:00' + (floor(random()*192)*5) * interval '1 minute' END,
         p, (p*4 + 60 + random()*40)::numeric(10,2),
         ${pick('Economy', 'Economy', 'Economy', 'Premium Economy', 'Business')},
         random() < 0.7, ${pick('kiwi', 'skyscanner', 'ryanair', 'wizzair')},
         'https://book.example/' || md5(random()::text), timestamptz '2025-01-01' + i * interval '11 seconds'
  FROM ${numberedDays(count, ', (15 + random()^3 * 600)::numeric(10,2) AS p')}`

const accommodations = (count: number) => `
  INSERT INTO accommodations (destination_city, name, type, bedrooms, price_per_night, family_friendly, has_kitchen,
                              has_kids_club, rating, review_count, source, url, image_url, scraped_at)
  SELECT ${pick(...cities)},
         'Casa ' || initcap(substr(md5(random()::text), 1, 9)), ${pick('hotel', 'airbnb', 'apartment')},
         1 + floor(random()*4)::int, (40 + random()*300)::numeric(10,2), random() < .6, random() < .5, random() < .2,
         (5 + random()*5)::numeric(3,1), floor(random()*3000)::int, ${pick('booking.com', 'airbnb')},
         'https://stay.example/' || i,
         CASE WHEN random() < .8 THEN 'https://img.example/' || md5(random()::text) || '.jpg' END,
         timestamptz '2025-01-01' + i * interval '3 minutes'
  FROM generate_series(1, ${count}) i`

/** The words hold what a COPY stream must escape. */
const events = (count: number) => String.raw`
  INSERT INTO events (destination_city, title, event_date, end_date, category, description, price_range, source, url,
                      ai_relevance_score, scraped_at)
  SELECT ${pick(...cities)},
         ${pick('Wine tasting', 'Puppet theatre', 'Night market', 'Kids’ science day', 'Fado evening', 'City run')} || ' #' || i,
         d, CASE WHEN random() < .3 THEN d + floor(random()*9)::int END,
         ${pick('family', 'parent_escape', 'cultural', 'outdoor')},
         (SELECT string_agg((ARRAY['sunny','old town','river','tickets','children','guide','music','tapas','workshop',
                                   '\backslash','tab${'\t'}inside','"quoted"'])[1 + get_byte(h, n) % 12], ' ')
            FROM decode(md5(i::text), 'hex') h, generate_series(0, 11) n),
         ${pick('free', '<€20', '€20-50', '€50+')}, ${pick('eventbrite', 'tripadvisor', 'manual')},
         NULL, (random()*10)::numeric(3,1), timestamptz '2025-01-01' + i * interval '2 minutes'
  FROM ${numberedDays(count)}`

const tripPackages = (count: number, random: { flight: string; accommodation: string }) => String.raw`
  INSERT INTO trip_packages (package_type, flights_json, accommodation_id, events_json, destination_city, departure_date,
                             return_date, total_price, ai_score, ai_reasoning, itinerary_json, notified, created_at)
  SELECT CASE WHEN random() < .7 THEN 'family' ELSE 'parent_escape' END,
         jsonb_build_object('outbound_flight_id', ${random.flight}, 'return_flight_id', ${random.flight},
                            'total_flight_cost', (random()*1500)::numeric(10,2)),
         CASE WHEN random() < .95 THEN ${random.accommodation} END,
         jsonb_build_object('event_ids', jsonb_build_array(i, i+1), 'total_event_cost', floor(random()*200)),
         ${pick('Lisbon', 'Barcelona', 'Prague', 'Porto')}, d, d + 3 + floor(random()*8)::int,
         (400 + random()*2500)::numeric(10,2), (random()*100)::numeric(5,2),
         E'Good value for a family of four.\nShort drive, direct flight; rated ' || floor(random()*10) || '/10.',
         '{"day_1": {"activities": ["Arrival", "Check-in", "Dinner"]},
           "day_2": {"activities": ["Beach", "Tram 28", "Pastéis"]}}'::jsonb,
         random() < .1, timestamptz '2025-01-01' + i * interval '5 minutes'
  FROM ${numberedDays(count)}`

const userPreferences = `
  INSERT INTO user_preferences (user_id, max_flight_price_family, max_total_budget_family, preferred_destinations,
                                avoid_destinations, interests, notification_threshold)
  SELECT i, 200, 2000, ARRAY['Lisbon','Barcelona','Prague','Porto'], ARRAY[]::text[], ARRAY['wine','museums',NULL], 70
  FROM generate_series(1, 5) i`

const schoolHolidays = `
  INSERT INTO school_holidays (name, start_date, end_date, year, holiday_type) VALUES
    ('Easter Break 2025','2025-04-14','2025-04-25',2025,'major'),
    ('Whitsun Break 2025','2025-06-10','2025-06-20',2025,'major'),
    ('Summer Holiday 2025','2025-08-01','2025-09-15',2025,'major'),
    ('Autumn Break 2025','2025-10-27','2025-11-07',2025,'long_weekend')`

const priceHistory = (count: number) => `
  INSERT INTO price_history (route, price, source, scraped_at)
  SELECT ${pick('MUC', 'FMM', 'NUE', 'SZG')} || '-' || ${pick('LIS', 'BCN', 'PRG', 'OPO', 'FCO', 'ATH')},
         (15 + random()*400)::numeric(10,2), ${pick('kiwi', 'skyscanner')},
         timestamptz '2025-01-01' + i * (interval '420 days' / ${count})
  FROM generate_series(1, ${count}) i`

const scrapingJobs = (count: number) => String.raw`
  INSERT INTO scraping_jobs (job_type, source, status, items_scraped, error_message, started_at, completed_at)
  SELECT ${pick('flights', 'accommodations', 'events')}, 'kiwi', ${pick('completed', 'completed', 'failed')},
         floor(random()*500)::int, CASE WHEN random() < .1 THEN E'HTTP 429\nretry later' END,
         timestamptz '2025-01-01' + i * interval '1 hour', NULL
  FROM generate_series(1, ${count}) i`
