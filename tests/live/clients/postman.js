// Before each request: what its examples speak of is made, as a person would make it
// first, and the ids and tokens of the answer are written over the example's.
const path = pm.request.url.getPath({ unresolved: true });
const question = { method: "POST", url: pm.variables.get("world") };
question.body = { mode: "raw", raw: `${pm.request.method} ${path}` };
pm.sendRequest(question, (error, answer) => {
  if (error) throw error;
  const { bearerToken, real } = answer.json();
  pm.variables.set("bearerToken", bearerToken);
  for (const variable of pm.request.url.variables.all()) {
    variable.value = real[variable.value] ?? variable.value;
  }
  if (pm.request.body?.raw) {
    let raw = pm.request.body.raw;
    for (const [example, value] of Object.entries(real)) raw = raw.replaceAll(example, value);
    pm.request.body.update({ ...pm.request.body.toJSON(), raw });
  }
});
