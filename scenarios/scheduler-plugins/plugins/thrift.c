/* A score: the cheaper a node, the better. Its price, in cents an hour, is in a label. */
#include "kubeguest.h"

EXPORT("score") u64 score(void) {
  struct bytes text = label(current_node(), "cents-per-hour");
  u32 price = 0;
  for (u32 i = 0; i < text.length && text.at[i] >= '0' && text.at[i] <= '9'; i++)
    price = price * 10 + (text.at[i] - '0');
  u64 points = price < 100 ? 100 - price : 0;
  return points << 32 | SUCCESS;
}
