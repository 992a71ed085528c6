// Uses the API by its generated types alone; prints what it saw as drive.py does.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };
const [, , baseUrl = "", email = ""] = process.argv;
// Several values of a filter go into one parameter, separated by commas.
const querySerializer = { array: { style: "form", explode: false } } as const;
const api = createClient<paths>({ baseUrl, querySerializer });

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("it should have been there");
  return value;
}

const signedIn = await api.POST("/api/auth/register", {
  body: { name: "Ada", email, password: "grey heron 7 lamps" },
});
const { accessToken } = given(signedIn.data);
api.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${accessToken}`);
    return request;
  },
});

async function create(title: string) {
  const made = await api.POST("/api/tasks", {
    params: { header: { "Idempotency-Key": title } },
    body: { title, priority: "HIGH", dueDate: "2030-01-31T09:00:00Z" },
  });
  return { etag: given(made.response.headers.get("ETag") ?? undefined), ...given(made.data) };
}

const first = await create("one");
await create("two");
await create("three");

const pages: string[][] = [];
for (let cursor: string | null | undefined; cursor !== null; ) {
  const status: components["schemas"]["Status"][] = ["TODO", "IN_PROGRESS"];
  const query = { limit: 2, status, ...(cursor === undefined ? {} : { cursor }) };
  const { data } = await api.GET("/api/tasks", { params: { query } });
  pages.push(given(data).items.map((task) => task.title));
  cursor = given(data).nextCursor;
}

function patch(status: "IN_PROGRESS" | "DONE") {
  return api.PATCH("/api/tasks/{id}", {
    params: { path: { id: first.id }, header: { "If-Match": first.etag } },
    body: { status, description: null },
  });
}

const patched = await patch("IN_PROGRESS");
const stale = await patch("DONE");
const refusal = given(stale.error).error;

const batch = await api.POST("/api/tasks/batch", {
  body: {
    operations: [
      { op: "create", data: { title: "four" } },
      { op: "update", id: first.id, version: 2, data: { status: "DONE" } },
    ],
  },
});
const path = { id: first.id };
const header = { "If-Match": '"v3"' };
const deleted = await api.DELETE("/api/tasks/{id}", { params: { path, header } });
const restored = await api.POST("/api/tasks/{id}/restore", { params: { path } });

// What the types refuse; tsc complains about an error that it does not find.
export function refusedByTypes() {
  const body = { title: "five", description: null, dueDate: null };
  const known = { ...body, status: "TODO", priority: "LOW" } as const;
  // @ts-expect-error: a replacement wants If-Match
  void api.PUT("/api/tasks/{id}", { params: { path }, body: known });
  // @ts-expect-error: there is no such status
  void api.PATCH("/api/tasks/{id}", { params: { path }, body: { status: "DOING" } });
  // @ts-expect-error: no task without a title
  void api.POST("/api/tasks", { body: { priority: "LOW" } });
}

// Any JSON in the description: each kind of resource has its own.
const current = refusal.current as components["schemas"]["Task"];
console.log(
  JSON.stringify({
    pages,
    patched: given(patched.data).status,
    stale: [stale.response.status, refusal.code, current.version],
    batch: given(batch.data).results.map((each) => [each.op, each.task?.status]),
    deleted: deleted.response.status,
    restored: given(restored.data).version,
  }),
);
