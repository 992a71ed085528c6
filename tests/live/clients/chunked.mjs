// Node's http sends a streamed body in chunks.
import http from "node:http";
import { Readable } from "node:stream";

const [url, token] = process.argv.slice(2);
const headers = {
  Authorization: `Bearer ${token}`,
  "Content-Type": "application/json; charset=utf-8",
};
const request = http.request(url, { method: "POST", headers }, (response) => {
  response.setEncoding("utf8");
  let body = "";
  response.on("data", (piece) => (body += piece));
  response.on("end", () => process.stdout.write(`${response.statusCode} ${body}`));
});
Readable.from(['{"title":', ' "streamed"}']).pipe(request);
