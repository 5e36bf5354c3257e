-- A history as schema 0001 kept it: a finished, a failed, a queued and a deleted run.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE counters (
	name VARCHAR(32) NOT NULL,
	value INTEGER NOT NULL,
	PRIMARY KEY (name)
);
INSERT INTO "counters" VALUES('revision',5);
CREATE TABLE runs (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id VARCHAR(32) NOT NULL,
	revision INTEGER NOT NULL,
	visitor VARCHAR(64),
	engine VARCHAR(8) NOT NULL,
	key_of VARCHAR(8) NOT NULL,
	state VARCHAR(16) NOT NULL,
	request VARCHAR NOT NULL,
	created_at VARCHAR(32) NOT NULL,
	submitted_at VARCHAR(32),
	started_at VARCHAR(32),
	finished_at VARCHAR(32),
	ticket VARCHAR,
	queue_position INTEGER,
	progress FLOAT,
	note VARCHAR,
	cancel_asked BOOLEAN NOT NULL,
	failure VARCHAR,
	seed_used INTEGER,
	picture VARCHAR,
	media_name VARCHAR(48),
	billed_units FLOAT,
	cost_usd FLOAT NOT NULL,
	favourite BOOLEAN NOT NULL,
	deleted_at VARCHAR(32),
	UNIQUE (id),
	UNIQUE (revision),
	UNIQUE (media_name)
);
INSERT INTO "runs" VALUES(1,'00000000000000000000000000000001',1,'ann','fal','owner','done','{"prompt":"a red fox at dusk; it''s ''quoted''","image_size":"landscape_4_3","seed":7,"num_inference_steps":28,"guidance_scale":3.5,"enable_prompt_expansion":true,"safety_tolerance":"2","enable_safety_checker":true,"output_format":"jpeg","sync_mode":false}','2026-03-01T12:01:00.000000+00:00','2026-03-01T12:01:00.000000+00:00','2026-03-01T12:01:01.000000+00:00','2026-03-01T12:01:12.500000+00:00','{"request_id":"r-1","status_url":"https://q/s","response_url":"https://q/r","cancel_url":"https://q/c"}',NULL,NULL,NULL,0,NULL,8,'{"name":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.jpg","thumb":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.webp","content_type":"image/jpeg","bytes":9,"width":1024,"height":768,"note":null}','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.jpg',NULL,0.0375,1,NULL);
INSERT INTO "runs" VALUES(2,'00000000000000000000000000000002',5,'ann','fal','owner','failed','{"prompt":"a Café in the rain","image_size":{"width":640,"height":512},"seed":42,"num_inference_steps":40,"guidance_scale":5.5,"enable_prompt_expansion":false,"safety_tolerance":"5","enable_safety_checker":false,"output_format":"png","sync_mode":true}','2026-03-01T12:02:00.000000+00:00','2026-03-01T12:01:00.000000+00:00',NULL,'2026-03-01T12:01:02.000000+00:00','{"request_id":"r-2","status_url":"https://q/s","response_url":"https://q/r","cancel_url":"https://q/c"}',NULL,NULL,'seen',0,'{"code":"timeout","message":"Too slow.","field":null,"retryable":false,"refetch":false,"charged":false}',NULL,NULL,NULL,NULL,0.0,0,NULL);
INSERT INTO "runs" VALUES(3,'00000000000000000000000000000003',3,'bob','demo','owner','queued','{"prompt":"猫が好き","image_size":"portrait_16_9","seed":3,"num_inference_steps":28,"guidance_scale":3.5,"enable_prompt_expansion":true,"safety_tolerance":"2","enable_safety_checker":true,"output_format":"jpeg","sync_mode":false}','2026-03-01T12:03:00.000000+00:00','2026-03-01T12:01:00.000000+00:00',NULL,NULL,'{"request_id":"r-3","status_url":"https://q/s","response_url":"https://q/r","cancel_url":"https://q/c"}',2,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,0.0,0,NULL);
INSERT INTO "runs" VALUES(4,'00000000000000000000000000000004',4,'ann','fal','owner','cancelled','{"prompt":"a deleted fox","image_size":"landscape_4_3","seed":4,"num_inference_steps":28,"guidance_scale":3.5,"enable_prompt_expansion":true,"safety_tolerance":"2","enable_safety_checker":true,"output_format":"jpeg","sync_mode":false}','2026-03-01T12:04:00.000000+00:00',NULL,NULL,'2026-03-01T12:01:00.000000+00:00',NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,0.0,0,'2026-03-01T12:01:00.000000+00:00');
CREATE INDEX runs_by_visitor ON runs (visitor, seq);
CREATE INDEX runs_by_state ON runs (state);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('runs',4);
COMMIT;
