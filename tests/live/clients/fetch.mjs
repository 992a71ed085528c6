// fetch sends a stream in chunks, and no Content-Length.
const [url, token] = process.argv.slice(2);
const body = new ReadableStream({
  start(controller) {
    for (const piece of ['{"title":', ' "streamed"}'])
      controller.enqueue(new TextEncoder().encode(piece));
    controller.close();
  },
});
const headers = {
  Authorization: `Bearer ${token}`,
  "Content-Type": "application/json",
};
const response = await fetch(url, { method: "POST", headers, body, duplex: "half" });
process.stdout.write(`${response.status} ${await response.text()}`);
