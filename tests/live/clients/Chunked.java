// java.net.http sends what ofInputStream reads in chunks; Instant has nine decimals.
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

class Chunked {
    public static void main(String[] arguments) throws Exception {
        byte[] body = "{\"title\": \"streamed\", \"dueDate\": \"2026-12-31T09:00:00.123456789Z\"}".getBytes();
        var request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .version(HttpClient.Version.HTTP_1_1)
            .header("Authorization", "Bearer " + arguments[1])
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)))
            .build();
        var response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
        System.out.print(response.statusCode() + " " + response.body());
    }
}
