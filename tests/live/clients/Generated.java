// In no JDK since Java 11, and the one annotation that the generator's jar lacks.
package javax.annotation;

public @interface Generated {
  String[] value();

  String date() default "";

  String comments() default "";
}
