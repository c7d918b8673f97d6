// Writes the types of a database's public schema to standard output, as `supabase gen types typescript` does.
// The database is the one that PGHOST, PGPORT, PGUSER and PGDATABASE name.
import { generateTypescript, sortGeneratorMetadata } from "@supabase/postgrest-typegen/generation";
import { introspect } from "@supabase/postgrest-typegen/introspection";
import pg from "pg";

// A pool, because the questions are asked side by side.
const client = new pg.Pool();
try {
  const found = await introspect(client, { includedSchemas: ["public"] });
  const types = await generateTypescript(sortGeneratorMetadata(found), { detectOneToOneRelationships: true });
  process.stdout.write(types);
} finally {
  await client.end();
}
