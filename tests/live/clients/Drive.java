// Uses the API by the generated client alone; prints what it saw as drive.py does.
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openapitools.client.*;
import org.openapitools.client.api.*;
import org.openapitools.client.model.*;

public final class Drive {
  private static final ApiClient CLIENT = new ApiClient();
  private static TasksApi tasks;

  public static void main(String[] arguments) throws Exception {
    CLIENT.updateBaseUri(arguments[0]);
    signIn(arguments[1]);
    // An API takes over what the client is set to when it is made.
    tasks = new TasksApi(CLIENT);
    ApiResponse<Task> first = create("one");
    String etag = first.getHeaders().get("ETag").get(0);
    create("two");
    create("three");
    Map<String, Object> seen = new LinkedHashMap<>();
    seen.put("pages", pages());
    Task task = first.getData();
    seen.put("patched", patch(task, Status.IN_PROGRESS, etag).getStatus());
    seen.put("stale", stale(task, etag));
    seen.put("batch", batch(task));
    seen.put("deleted", tasks.deleteTaskWithHttpInfo(task.getId(), "\"v3\"").getStatusCode());
    TrashApi trash = new TrashApi(CLIENT);
    seen.put("restored", trash.restoreTask(task.getId(), null, null, null).getVersion());
    System.out.println(CLIENT.getObjectMapper().writeValueAsString(seen));
  }

  private static void signIn(String email) throws ApiException {
    RegisterRequest about =
        new RegisterRequest().name("Ada").email(email).password("grey heron 7 lamps");
    Tokens tokens = new AccountsApi(CLIENT).register(about);
    CLIENT.setRequestInterceptor(
        request -> request.header("Authorization", "Bearer " + tokens.getAccessToken()));
  }

  private static ApiResponse<Task> create(String title) throws ApiException {
    CreateTaskRequest body =
        new CreateTaskRequest()
            .title(title)
            .priority(Priority.HIGH)
            .dueDate(OffsetDateTime.parse("2030-01-31T09:00:00Z"));
    return tasks.createTaskWithHttpInfo(body, title);
  }

  private static List<List<String>> pages() throws ApiException {
    List<List<String>> pages = new ArrayList<>();
    // Several values go out separated by commas.
    List<Status> open = List.of(Status.TODO, Status.IN_PROGRESS);
    String cursor = null;
    do {
      TaskList page =
          tasks.listTasks(
              null, null, null, null, null, null, null, null, cursor, null, null, null, null,
              null, 2, false, null, null, null, null, null, null, null, open, null, null, null);
      pages.add(page.getItems().stream().map(Task::getTitle).toList());
      cursor = page.getNextCursor();
    } while (cursor != null);
    return pages;
  }

  private static Task patch(Task task, Status status, String etag) throws ApiException {
    return tasks.updateTask(task.getId(), etag, new UpdateTaskRequest().status(status));
  }

  private static List<Object> stale(Task task, String etag) throws Exception {
    try {
      patch(task, Status.DONE, etag);
    } catch (ApiException refusal) {
      String body = refusal.getResponseBody();
      var error = CLIENT.getObjectMapper().readValue(body, ErrorResponse.class).getError();
      Task current = CLIENT.getObjectMapper().convertValue(error.getCurrent(), Task.class);
      return List.of(refusal.getCode(), error.getCode(), current.getVersion());
    }
    throw new AssertionError("the stale change was made");
  }

  private static List<Object> batch(Task task) throws ApiException {
    CreateOperation four =
        new CreateOperation()
            .op(CreateOperation.OpEnum.CREATE)
            .data(new CreateTaskRequest().title("four"));
    UpdateOperation done =
        new UpdateOperation()
            .op(UpdateOperation.OpEnum.UPDATE)
            .id(task.getId())
            .version(2)
            .data(new UpdateTaskRequest().status(Status.DONE));
    BatchRequest body =
        new BatchRequest()
            .addOperationsItem(new OperationRequest(four))
            .addOperationsItem(new OperationRequest(done));
    return tasks.batchTasks(body, null).getResults().stream()
        .map(result -> (Object) List.of(result.getOp(), result.getTask().getStatus()))
        .toList();
  }
}
