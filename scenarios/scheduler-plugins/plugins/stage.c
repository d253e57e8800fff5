/* A filter: a node with a label "stage" takes only pods of that stage. */
#include "kubeguest.h"

EXPORT("filter") u32 filter(void) {
  struct bytes stage = label(current_node(), "stage");
  if (!stage.length || same(stage, label(current_pod(), "stage"))) return SUCCESS;
  return refuse(UNRESOLVABLE, "node(s) were of another stage");
}
