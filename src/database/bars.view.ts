/** The view with the shape of the earlier release's table. */
export const CREATE_VIEW = `
  CREATE VIEW bars_ohlcv AS
    SELECT provider, symbol, interval, ts, open, high, low, close, volume, received_at AS updated_at
    FROM bars JOIN series ON series.id = bars.series_id`;
