import { Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm';

/** A series of bars: one provider's bars of one symbol at one interval. */
@Entity('series')
@Unique('series_key', ['provider', 'symbol', 'interval'])
export class SeriesEntity {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column('text')
  provider!: string;

  @Column('text')
  symbol!: string;

  @Column('text')
  interval!: string;
}
