/* Section 1 in plain C on one core: forward, backward in time, Adagrad.
 *
 *   s_t = tanh(x_t W[0] + s_{t-1} W[1:] + b)      logits_t = s_t W2 + b2
 *
 * Sizes are fixed when it is compiled: B rows, T steps, H units, C classes.
 */
#include <math.h>
#include <string.h>

#define P ((1 + H) * H + H + H * C + C) /* W, b, W2, b2 in a row */

void train(float *p, float *acc, float *state, const float *x, const int *y,
           int length, float rate, float *losses) {
  float *W = p, *b = W + (1 + H) * H, *W2 = b + H, *b2 = W2 + H * C;
  float g[P];
  float *dW = g, *db = dW + (1 + H) * H, *dW2 = db + H, *db2 = dW2 + H * C;
  float s[T + 1][B][H], d_logits[T][B][C], d_s[B][H];
  for (int n = 0; n < length / T; n++) {
    float loss = 0;
    memcpy(s[0], state, sizeof s[0]);
    for (int t = 0; t < T; t++)
      for (int r = 0; r < B; r++) {
        const float in = x[r * length + n * T + t];
        const int label = y[r * length + n * T + t];
        for (int k = 0; k < H; k++) {
          float a = b[k] + in * W[k];
          for (int j = 0; j < H; j++) a += s[t][r][j] * W[(1 + j) * H + k];
          s[t + 1][r][k] = tanhf(a);
        }
        float logits[C], top = -INFINITY, sum = 0;
        for (int c = 0; c < C; c++) {
          logits[c] = b2[c];
          for (int k = 0; k < H; k++) logits[c] += s[t + 1][r][k] * W2[k * C + c];
          if (logits[c] > top) top = logits[c];
        }
        for (int c = 0; c < C; c++) sum += expf(logits[c] - top);
        loss += logf(sum) + top - logits[label];
        for (int c = 0; c < C; c++)
          d_logits[t][r][c] =
              (expf(logits[c] - top) / sum - (c == label)) / (B * T);
      }
    losses[n] = loss / (B * T);
    memcpy(state, s[T], sizeof s[0]);
    memset(g, 0, sizeof g);
    memset(d_s, 0, sizeof d_s);
    for (int t = T - 1; t >= 0; t--)
      for (int r = 0; r < B; r++) {
        const float in = x[r * length + n * T + t];
        float d_a[H], d_before[H] = {0};
        for (int k = 0; k < H; k++) {
          float d = d_s[r][k];
          for (int c = 0; c < C; c++) {
            d += d_logits[t][r][c] * W2[k * C + c];
            dW2[k * C + c] += s[t + 1][r][k] * d_logits[t][r][c];
          }
          d_a[k] = d * (1 - s[t + 1][r][k] * s[t + 1][r][k]);
          dW[k] += in * d_a[k];
          db[k] += d_a[k];
        }
        for (int c = 0; c < C; c++) db2[c] += d_logits[t][r][c];
        for (int j = 0; j < H; j++)
          for (int k = 0; k < H; k++) {
            dW[(1 + j) * H + k] += s[t][r][j] * d_a[k];
            d_before[j] += W[(1 + j) * H + k] * d_a[k];
          }
        memcpy(d_s[r], d_before, sizeof d_before);
      }
    for (int i = 0; i < P; i++) {
      acc[i] += g[i] * g[i];
      p[i] -= rate * g[i] / sqrtf(acc[i]);
    }
  }
}
